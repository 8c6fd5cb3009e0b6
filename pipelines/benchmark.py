"""The benchmark: networks cross-validated on the final masks, with normal films as the control group.

It trains and stores predictions and does nothing else; what they are worth is read from the stored predictions
(`pipelines.segmentation_eval`, `pipelines.detection_eval`), which never train.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.campaign import StageDefinition
from db.domain.ensemble import parse_networks
from db.domain.errors import NotFoundError
from db.domain.provenance import JobKind, JobState
from db.domain.specs import find_spec, override
from db.job_context import JobContext
from db.models import Campaign, Checkpoint, Job, Prediction
from db.repository.plans import benchmark_plan
from ml_backend.worker import Training, train_splits
from pipelines.simulate.pretext import make_pretext


def run(context: JobContext) -> None:
    """Job: train the benchmark's networks on every fold and store what they predict."""
    planned = planned_by(context.arguments)
    with context.record.database.read() as session:
        splits = benchmark_plan(session, context.campaign_id)
        seed = session.get_one(Campaign, context.campaign_id).definition.seed
    train_splits(context, Training(planned.networks, planned.recipe, splits, seed), _keep, make_pretext)


def planned_by(arguments: Mapping[str, Any]) -> StageDefinition:
    """Networks and recipe of a benchmark: the last stage of `spec` with `settings`, or `networks` by its recipe.

    Raises
    ------
    InputError
        If the specification, a setting or a network is unknown, or a network comes twice.
    """
    planned = override(find_spec(arguments["spec"]), arguments.get("settings", {})).stages[-1]
    named = arguments.get("networks")
    return replace(planned, networks=parse_networks(named)) if named else planned


def last_benchmark(session: Session, campaign: Campaign) -> Job:
    """The newest finished benchmark of a campaign, or NotFoundError."""
    query = select(Job).where(Job.campaign_id == campaign.id, Job.kind == JobKind.BENCHMARK, Job.state == JobState.DONE)
    job = session.scalar(query.order_by(Job.id.desc()).limit(1))
    if job is None:
        msg = f"Campaign {campaign.name} has no finished benchmark."
        raise NotFoundError(msg, hint=f"Run `overread benchmark {campaign.name}`.")
    return job


def _keep(session: Session, checkpoint: Checkpoint, maps: Mapping[int, str]) -> None:
    session.add_all(
        Prediction(checkpoint_id=checkpoint.id, case_id=case_id, map_digest=digest) for case_id, digest in maps.items()
    )
