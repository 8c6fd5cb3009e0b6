"""The benchmark: networks cross-validated on the final masks, with normal films as the control group.

It trains and stores predictions and does nothing else; what they are worth is read from the stored predictions
(`pipelines.segmentation_eval`, `pipelines.detection_eval`), which never train.
"""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.errors import NotFoundError
from db.domain.provenance import JobKind, JobState
from db.job_context import JobContext
from db.models import Campaign, Checkpoint, Job, Prediction
from db.repository.plans import benchmark_plan
from ml_backend.worker import Training, train_splits
from pipelines.specs import find_spec, override


def run(context: JobContext) -> None:
    """Job: train the networks of the specification's last stage on every fold and store what they predict."""
    definition = override(find_spec(context.arguments["spec"]), context.arguments.get("settings", {}))
    networks, recipe = definition.stages[-1].networks, definition.stages[-1].recipe
    with context.record.database.read() as session:
        splits = benchmark_plan(session, context.campaign_id)
        seed = session.get_one(Campaign, context.campaign_id).definition.seed
    train_splits(context, Training(networks, recipe, splits, seed), _keep)


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
