"""Masks, and which of them are on offer."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.domain.provenance import SOFTWARE_VERSION, MaskOrigin
from db.models.base import Base, now
from db.models.films import CaseRow
from db.models.networks import Checkpoint
from db.models.people import Account


class MaskRow(Base):
    """A mask as its maker made it: by hand at the film's size (`digest`), or a network's map (`map_digest`)."""

    __tablename__ = "mask"
    __table_args__ = (Index("ix_mask_campaign_case", "campaign_id", "case_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    origin: Mapped[MaskOrigin]
    digest: Mapped[str | None]
    map_digest: Mapped[str | None]
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    checkpoint_id: Mapped[int | None] = mapped_column(ForeignKey("checkpoint.id"))
    parent_id: Mapped[int | None] = mapped_column(
        ForeignKey("mask.id"), doc="The candidate that was touched up, or the right mask that was spoilt."
    )
    simulated: Mapped[bool] = mapped_column(default=False)
    software_version: Mapped[str] = mapped_column(default=SOFTWARE_VERSION)
    created_at: Mapped[datetime] = mapped_column(default=now)
    case: Mapped[CaseRow] = relationship()
    account: Mapped[Account | None] = relationship()
    checkpoint: Mapped[Checkpoint | None] = relationship()


class Candidate(Base):
    """A mask on offer. `position` was drawn at random and says nothing about its origin."""

    __tablename__ = "candidate"
    __table_args__ = (UniqueConstraint("round_id", "case_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("round.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"))
    position: Mapped[int]
    mask_id: Mapped[int] = mapped_column(ForeignKey("mask.id"))
    mask: Mapped[MaskRow] = relationship()
