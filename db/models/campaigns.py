"""Campaigns: their films, stages, rounds, readers and guides."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from db.domain.campaign import Arm, CampaignDefinition, RoundState, StageDefinition, StageState
from db.domain.network import NetworkSpec
from db.models.base import Base, now
from db.models.films import CaseRow
from db.models.people import Account


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
