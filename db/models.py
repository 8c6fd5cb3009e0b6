"""The record: every table, typed.

Read from top to bottom it follows the work: films, campaigns and stages, masks and the networks behind them, what
readers were shown and said, what became final, what was measured. Times are UTC. Digests name files in the store.
"""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from db.domain.campaign import (
    Arm,
    CampaignDefinition,
    RoundState,
    StageDefinition,
    StageState,
)
from db.domain.case import CaseClass, View
from db.domain.network import NetworkSpec
from db.domain.provenance import SOFTWARE_VERSION, JobKind, JobState, MaskOrigin, Role
from db.domain.study import SeatKind, seat_rank
from db.domain.verdict import UnreadableReason, VerdictKind


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in Python, UTC in the database; SQLite keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """To UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From UTC."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def _names(kind: type[Any]) -> Enum:
    return Enum(
        kind,
        native_enum=False,
        length=24,
        values_callable=lambda members: [str(m.value) for m in members],
    )


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can alter them on each database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[int]: JSON,
        str: String(255),
        **{
            kind: _names(kind)
            for kind in (
                Arm,
                CaseClass,
                JobKind,
                JobState,
                MaskOrigin,
                Role,
                RoundState,
                SeatKind,
                StageState,
            )
        },
        **{kind: _names(kind) for kind in (UnreadableReason, VerdictKind, View)},
    }


class Account(Base):
    """A person, or a simulated reader. Readers appear to others by `code` only."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    role: Mapped[Role]
    email: Mapped[str | None] = mapped_column(unique=True)
    password: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    simulated: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)


class CaseRow(Base):
    """One film. `fingerprint` is the thumbnail that finds near-duplicates."""

    __tablename__ = "case"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    patient: Mapped[str] = mapped_column(index=True)
    component: Mapped[str] = mapped_column(index=True)
    case_class: Mapped[CaseClass]
    view: Mapped[View]
    source: Mapped[str]
    licence: Mapped[str]
    sex: Mapped[str | None]
    age_years: Mapped[float | None]
    taken_on: Mapped[date | None]
    width_px: Mapped[int]
    height_px: Mapped[int]
    film_digest: Mapped[str]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    simulated: Mapped[bool] = mapped_column(default=False)
    software_version: Mapped[str] = mapped_column(default=SOFTWARE_VERSION)
    created_at: Mapped[datetime] = mapped_column(default=now)


class PhantomTruth(Base):
    """What a phantom film really shows. Real films have none."""

    __tablename__ = "phantom_truth"

    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    infection_digest: Mapped[str]
    lung_digest: Mapped[str]


@lru_cache(64)
def _definition(text: str) -> CampaignDefinition:
    """Read once: every request of a reader asks for it several times."""
    return CampaignDefinition.from_json(text)


class Campaign(Base):
    """The whole effort; `definition` is the canonical JSON of a CampaignDefinition."""

    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    definition_json: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    stages: Mapped[list["Stage"]] = relationship(back_populates="campaign", order_by="Stage.position")

    @property
    def definition(self) -> CampaignDefinition:
        """The definition as a value."""
        return _definition(self.definition_json)


class CampaignCase(Base):
    """A film's place in a campaign: its arm, the stage that reads it, and its component and fold for good."""

    __tablename__ = "campaign_case"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    arm: Mapped[Arm]
    stage_id: Mapped[int | None] = mapped_column(ForeignKey("stage.id"), index=True)
    component: Mapped[str] = mapped_column(
        doc="What was never split when the film joined; films of later days may merge it."
    )
    fold: Mapped[int | None]
    reason: Mapped[str] = mapped_column(default="", doc="Why a film was set aside.")
    case: Mapped[CaseRow] = relationship()


class Stage(Base):
    """The paper's stage I or II."""

    __tablename__ = "stage"
    __table_args__ = (UniqueConstraint("campaign_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    name: Mapped[str]
    position: Mapped[int]
    state: Mapped[StageState] = mapped_column(default=StageState.DRAFT)
    opened_at: Mapped[datetime | None]
    locked_at: Mapped[datetime | None]
    unblinded_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    ensemble: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True),
        doc="Networks chosen before it opened, and the evidence; None: those of the definition.",
    )
    analysis_plan: Mapped[str | None] = mapped_column(
        Text, doc="What will be computed from its verdicts: fixed when it opens, canonical JSON."
    )
    campaign: Mapped[Campaign] = relationship(back_populates="stages")
    rounds: Mapped[list["Round"]] = relationship(back_populates="stage", order_by="Round.number")

    @property
    def definition(self) -> StageDefinition:
        """What the stage does, with the networks that were chosen for it."""
        planned = self.campaign.definition.stages[self.position]
        if self.ensemble is None:
            return planned
        return replace(planned, networks=tuple(map(NetworkSpec.parse, self.ensemble["networks"])))

    @property
    def protocol_digest(self) -> str:
        """The protocol version that its verdicts carry: the campaign's digest, or one of definition, choice and plan.

        Stages of older versions have no plan, and keep the digest that they had.
        """
        stored = self.campaign.definition_json  # not what this version makes of it: its digest must not change
        if self.ensemble is None and self.analysis_plan is None:
            return hashlib.sha256(stored.encode()).hexdigest()
        protocol = {"campaign": json.loads(stored), "stage": self.name, "ensemble": self.ensemble}
        if self.analysis_plan is not None:
            protocol["analysis_plan"] = json.loads(self.analysis_plan)
        return hashlib.sha256(json.dumps(protocol, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @property
    def address(self) -> str:
        """`CAMPAIGN/STAGE`, as commands name it."""
        return f"{self.campaign.name}/{self.name}"


class StageReader(Base):
    """A reader whom a stage was assigned to. A stage that names none is open to every reader."""

    __tablename__ = "stage_reader"

    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"), primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), primary_key=True)
    quota: Mapped[int | None] = mapped_column(doc="Seats at most; None: as many as there are.")
    left_at: Mapped[datetime | None]
    counts: Mapped[bool] = mapped_column(default=True, doc="Whether the verdicts of one who left are kept.")
    account: Mapped[Account] = relationship()


class Guide(Base):
    """The annotation guide of a campaign, one row a version; the newest counts."""

    __tablename__ = "guide"
    __table_args__ = (UniqueConstraint("campaign_id", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    version: Mapped[int]
    text: Mapped[str] = mapped_column(Text, doc="Plain text: paragraphs, and lines that begin with `# ` or `- `.")
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Round(Base):
    """One train-and-propose pass inside a stage."""

    __tablename__ = "round"
    __table_args__ = (UniqueConstraint("stage_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    number: Mapped[int]
    state: Mapped[RoundState] = mapped_column(default=RoundState.DRAWING)
    created_at: Mapped[datetime] = mapped_column(default=now)
    stage: Mapped[Stage] = relationship(back_populates="rounds")


class Job(Base):
    """A durable piece of work. The engine carries ids only; what people see of it is here."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[JobKind]
    workflow_id: Mapped[str] = mapped_column(unique=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    round_id: Mapped[int | None] = mapped_column(ForeignKey("round.id"))
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[JobState] = mapped_column(default=JobState.QUEUED)
    error: Mapped[str] = mapped_column(Text, default="")
    n_takeovers: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    campaign: Mapped[Campaign] = relationship()
    round: Mapped[Round | None] = relationship()


class Progress(Base):
    """How far one part of a job is: one network's training, say. Overwritten as it goes."""

    __tablename__ = "progress"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    n_done: Mapped[int] = mapped_column(default=0)
    n_total: Mapped[int] = mapped_column(default=0)
    message: Mapped[str] = mapped_column(default="")
    loss: Mapped[float | None]
    films_per_s: Mapped[float | None]
    eta_s: Mapped[float | None]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Checkpoint(Base):
    """One network, trained without one fold (`fold` None: on everything), by one job."""

    __tablename__ = "checkpoint"
    __table_args__ = (UniqueConstraint("job_id", "network", "fold"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    network: Mapped[str]
    fold: Mapped[int | None]
    key: Mapped[str] = mapped_column(index=True)
    weights_digest: Mapped[str]
    card: Mapped[dict[str, Any]]
    software_version: Mapped[str] = mapped_column(default=SOFTWARE_VERSION)
    created_at: Mapped[datetime] = mapped_column(default=now)
    job: Mapped[Job] = relationship()


class TrainingExample(Base):
    """A film that a checkpoint learned from, and with which mask; a normal film has none."""

    __tablename__ = "training_example"

    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id"), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True, index=True)
    mask_id: Mapped[int | None] = mapped_column(ForeignKey("mask.id"), index=True)


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


def _rank(context: DefaultExecutionContext) -> int:
    """A hash of round, case and kind: seats of one kind before one case stand together."""
    values: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
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
    """What a reader said. Append-only: a revision is a further row, and the last one counts."""

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


class Prediction(Base):
    """A benchmark's stored probability map of one test film by one checkpoint."""

    __tablename__ = "prediction"

    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id"), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    map_digest: Mapped[str]
    case: Mapped[CaseRow] = relationship()
    checkpoint: Mapped[Checkpoint] = relationship()


class EncoderWeights(Base):
    """An encoder's pretrained weights, imported from a user's file; the newest of an encoder count (P19)."""

    __tablename__ = "encoder_weights"

    id: Mapped[int] = mapped_column(primary_key=True)
    encoder: Mapped[str] = mapped_column(index=True)
    digest: Mapped[str]
    corpus: Mapped[str] = mapped_column(doc="What the weights were trained on.")
    card: Mapped[dict[str, Any]]
    software_version: Mapped[str] = mapped_column(default=SOFTWARE_VERSION)
    created_at: Mapped[datetime] = mapped_column(default=now)


class AuditEntry(Base):
    """Who did what to what, and when. Append-only: each row's digest covers the one before it."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(doc="The code of an account, or `system`.")
    action: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str] = mapped_column(index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    software_version: Mapped[str] = mapped_column(default=SOFTWARE_VERSION)
    created_at: Mapped[datetime] = mapped_column(default=now)
    previous: Mapped[str] = mapped_column(unique=True, doc="The digest of the entry before; of the first, empty.")
    digest: Mapped[str]


class Invitation(Base):
    """A link, handed over by a coordinator, that lets one person choose a password once."""

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"))
    token_digest: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    account: Mapped[Account] = relationship()


class EndedSession(Base):
    """A session that was signed out before its time; its cookie may have been copied."""

    __tablename__ = "ended_session"

    session_digest: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(doc="From then on no session of that age is accepted anyway.")


class ApiToken(Base):
    """A secret with which a program acts for an account; only its digest is kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id"), index=True)
    name: Mapped[str]
    token_digest: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    account: Mapped[Account] = relationship()


class Withdrawal(Base):
    """The tombstone of a patient who withdrew: what was erased, and what had been made from it."""

    __tablename__ = "withdrawal"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient: Mapped[str] = mapped_column(unique=True, doc="The pseudonym, hashed.")
    n_films: Mapped[int]
    tainted: Mapped[dict[str, Any]] = mapped_column(doc="Checkpoints, exports and backups that it touched.")
    created_at: Mapped[datetime] = mapped_column(default=now)
