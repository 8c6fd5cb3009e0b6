"""What readers were shown and said, and what became final."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.domain.provenance import SOFTWARE_VERSION
from db.domain.study import SeatKind, seat_rank
from db.domain.verdict import UnreadableReason, VerdictKind
from db.models.base import Base, now
from db.models.campaigns import Round
from db.models.films import CaseRow
from db.models.masks import MaskRow
from db.models.people import Account


def _rank(context: DefaultExecutionContext) -> int:
    """A hash of round, case and kind: seats of one kind before one case stand together."""
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    return seat_rank(values["round_id"], values["case_id"], values["kind"])


class Comparison(Base):
    """One reader's seat before one case's candidates. Without `account_id` the seat is free.

    `order[slot]` is the candidate's position; a seat for drawing has none. `token` is all that the reader's browser
    ever learns of its name.
    """

    __tablename__ = "comparison"
    __table_args__ = (
        UniqueConstraint("round_id", "case_id", "seat"),
        Index("ix_comparison_round_reader_rank", "round_id", "account_id", "rank", "seat"),
        Index("ix_comparison_round_lease", "round_id", "leased_until"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    seat: Mapped[int] = mapped_column(default=0, doc="Numbers the seats before one case, whatever they are for.")
    kind: Mapped[SeatKind] = mapped_column(default=SeatKind.READING)
    rank: Mapped[int] = mapped_column(
        default=_rank, doc="A random place among the round's seats: readers start at one."
    )
    available_at: Mapped[datetime | None] = mapped_column(doc="Not to be shown before: the washout of a repeat.")
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    token: Mapped[str | None] = mapped_column(unique=True)
    order: Mapped[list[int] | None]
    claimed_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None] = mapped_column(doc="None once it is decided.")
    postponed_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    serial_seen_at: Mapped[datetime | None] = mapped_column(doc="When its reader first asked for the other films.")
    round: Mapped[Round] = relationship()
    case: Mapped[CaseRow] = relationship()
    verdicts: Mapped[list["Verdict"]] = relationship(back_populates="comparison", order_by="Verdict.revision")


class Draft(Base):
    """A drawing that its reader has not sent yet: the last one that reached the server, for another browser to go on.

    A draft is replaced only by one that was made from its `revision`.
    """

    __tablename__ = "draft"

    comparison_id: Mapped[int] = mapped_column(ForeignKey("comparison.id"), primary_key=True)
    revision: Mapped[int]
    slot: Mapped[int | None] = mapped_column(doc="The candidate that is touched up; None: a drawing of one's own.")
    started_from: Mapped[int | None] = mapped_column(doc="The slot whose mask a redraw began with; None: blank.")
    bits: Mapped[bytes] = mapped_column(LargeBinary, doc="zlib of the packed mask at the film's size.")
    saved_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Verdict(Base):
    """What a reader said. A revision is a further row, and the last one counts; the database refuses to change any."""

    __tablename__ = "verdict"
    __table_args__ = (
        UniqueConstraint("comparison_id", "revision"),
        UniqueConstraint("comparison_id", "idempotency_key"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    comparison_id: Mapped[int] = mapped_column(ForeignKey("comparison.id"))
    revision: Mapped[int]
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    kind: Mapped[VerdictKind]
    slot: Mapped[int | None]
    started_from: Mapped[int | None] = mapped_column(doc="The slot whose mask a redraw began with; None: blank.")
    also_acceptable: Mapped[list[int]] = mapped_column(default=list)
    reason: Mapped[UnreadableReason | None]
    confidence: Mapped[int | None]
    mask_id: Mapped[int | None] = mapped_column(ForeignKey("mask.id"), doc="What counts: picked, drawn, or empty.")
    visible_ms: Mapped[int] = mapped_column(default=0)
    saw_serial_films: Mapped[bool] = mapped_column(
        default=False, doc="Whether the reader had asked for the patient's other films by then."
    )
    idempotency_key: Mapped[str]
    protocol_digest: Mapped[str]
    software_version: Mapped[str] = mapped_column(default=SOFTWARE_VERSION)
    created_at: Mapped[datetime] = mapped_column(default=now)
    comparison: Mapped[Comparison] = relationship(back_populates="verdicts")
    account: Mapped[Account] = relationship()
    mask: Mapped[MaskRow | None] = relationship()


class FinalMask(Base):
    """The accepted reference of a case in a round: the canonical mask at the film's size."""

    __tablename__ = "final_mask"
    __table_args__ = (UniqueConstraint("round_id", "case_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), index=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    verdict_id: Mapped[int] = mapped_column(ForeignKey("verdict.id"))
    mask_id: Mapped[int] = mapped_column(ForeignKey("mask.id"))
    digest: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    case: Mapped[CaseRow] = relationship()
    verdict: Mapped[Verdict] = relationship()
    mask: Mapped[MaskRow] = relationship()
    round: Mapped[Round] = relationship()
