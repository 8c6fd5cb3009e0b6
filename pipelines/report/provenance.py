"""What the figures were made with: folds, seeds, networks, training time, versions."""

import platform
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.campaign import Arm
from db.models import Campaign, CampaignCase, Checkpoint, Job


@dataclass(frozen=True)
class NetworkTraining:
    """All checkpoints of one network that one job trained."""

    job: str
    network: str
    n_checkpoints: int
    n_parameters: int
    seconds: float
    recipe: str


@dataclass(frozen=True)
class FoldSize:
    """How many films a fold holds, by arm, and of how many patients (near-duplicates count as one)."""

    fold: int
    n_read: int
    n_control: int
    n_components: int


def find_trainings(session: Session, campaign: Campaign) -> list[NetworkTraining]:
    """A row for each job and network, in the order of training."""
    groups: dict[tuple[int, str], list[Checkpoint]] = defaultdict(list)
    query = select(Checkpoint).join(Job).where(Job.campaign_id == campaign.id).order_by(Checkpoint.id)
    for checkpoint in session.scalars(query):
        groups[checkpoint.job_id, checkpoint.network].append(checkpoint)
    return [
        NetworkTraining(
            job=_job_name(found[0].job),
            network=network,
            n_checkpoints=len(found),
            n_parameters=sum(found[0].card.get("n_parameters", {}).values()),
            seconds=sum(checkpoint.card.get("wall_s", 0.0) for checkpoint in found),
            recipe=_recipe(found[0].card),
        )
        for (_, network), found in groups.items()
    ]


def find_versions(session: Session, campaign: Campaign) -> dict[str, str]:
    """Software behind the checkpoints, and of the machine that writes the report."""
    versions: dict[str, set[str]] = defaultdict(set)
    for card in session.scalars(select(Checkpoint.card).join(Job).where(Job.campaign_id == campaign.id)):
        for name, version in card.get("versions", {}).items():
            versions[name].add(str(version))
    found = {name: ", ".join(sorted(known)) for name, known in sorted(versions.items())}
    return found | {"Python (report)": platform.python_version(), "system (report)": platform.platform(terse=True)}


def find_folds(session: Session, campaign: Campaign) -> list[FoldSize]:
    """The campaign's folds."""
    query = select(CampaignCase).where(CampaignCase.campaign_id == campaign.id, CampaignCase.arm != Arm.SET_ASIDE)
    members: dict[int, list[CampaignCase]] = defaultdict(list)
    for member in session.scalars(query):
        members[-1 if member.fold is None else member.fold].append(member)
    return [
        FoldSize(
            fold,
            n_read=sum(member.arm is Arm.READ for member in found),
            n_control=sum(member.arm is Arm.CONTROL for member in found),
            n_components=len({member.case.component for member in found}),
        )
        for fold, found in sorted(members.items())
    ]


def _job_name(job: Job) -> str:
    return f"job {job.id}, {f'stage {job.round.stage.name}' if job.round else job.kind}"


def _recipe(card: dict[str, Any]) -> str:
    if not (spec := card.get("spec")):
        return ""
    size, epochs, batch = (spec.get(name) for name in ("input_size", "epochs", "batch_size"))
    start = card.get("initial_weights", "random")
    origin = "random values" if start == "random" else f"weights that saw {start['corpus']}"
    return f"{size}x{size} px, {epochs} epochs, batch {batch}, Adam at {spec.get('learning_rate'):g}, from {origin}"
