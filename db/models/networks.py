"""The jobs behind networks, what they learned from, and what they are."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.domain.provenance import SOFTWARE_VERSION, JobKind, JobState
from db.models.base import Base, now
from db.models.campaigns import Campaign, Round
from db.models.films import CaseRow


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
