"""Films that join a round while it is read: which wait for candidates, and who may propose for them."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.campaign import Arm
from db.domain.errors import InvariantError, StateError
from db.domain.plan import Example, Split
from db.domain.provenance import JobKind, JobState
from db.models import CampaignCase, Candidate, CaseRow, Checkpoint, Job, Round, TrainingExample
from db.repository.plans import drawings

LATE = "late"
"""The argument of a training job that trains nothing: the cases that its round's networks are asked for."""


def unproposed_cases(session: Session, round_: Round) -> list[str]:
    """Keys of the stage's films that have no candidate in a round and can have: those with a drawing, if it has any."""
    stage = round_.stage
    query = (
        select(CaseRow.key)
        .join(CampaignCase, CampaignCase.case_id == CaseRow.id)
        .where(CampaignCase.stage_id == stage.id, CampaignCase.arm == Arm.READ)
        .where(CaseRow.id.not_in(select(Candidate.case_id).where(Candidate.round_id == round_.id)))
        .order_by(CaseRow.key)
    )
    drawn = drawings(session, stage.campaign_id) if stage.definition.with_drawing else None
    return [key for key in session.scalars(query) if drawn is None or key in drawn]


def round_checkpoints(session: Session, round_: Round) -> list[Checkpoint]:
    """The checkpoints that made a round's candidates: of the job that trained it, not of those for late films."""
    query = select(Job).where(Job.round_id == round_.id, Job.kind == JobKind.TRAIN, Job.state == JobState.DONE)
    trained = [job for job in session.scalars(query.order_by(Job.id)) if LATE not in job.arguments]
    if not trained:
        msg = f"Round {round_.number} of stage {round_.stage.address} is read, but no job trained it."
        raise InvariantError(msg)
    query_made = select(Checkpoint).where(Checkpoint.job_id == trained[-1].id)
    return list(session.scalars(query_made.order_by(Checkpoint.network, Checkpoint.fold)))


def late_splits(session: Session, round_: Round, keys: Collection[str]) -> tuple[Split, ...]:
    """What the round's networks learned from, fold by fold, and which of the late cases each is asked about.

    Raises
    ------
    StateError
        If a film that they learned from is not there any more: its patient withdrew.
    """
    checkpoints = round_checkpoints(session, round_)
    folds = {checkpoint.fold: checkpoint.id for checkpoint in checkpoints}
    query = select(CaseRow.key, CampaignCase.fold).join(CampaignCase, CampaignCase.case_id == CaseRow.id)
    of_case = dict(
        session.execute(query.where(CampaignCase.campaign_id == round_.stage.campaign_id, CaseRow.key.in_(keys))).all()
    )
    splits = []
    for fold, checkpoint_id in folds.items():
        targets = tuple(sorted(key for key in of_case if fold is None or of_case[key] == fold))
        if targets:
            splits.append(Split(fold, _examples(session, round_, checkpoint_id), targets))
    return tuple(splits)


def _examples(session: Session, round_: Round, checkpoint_id: int) -> tuple[Example, ...]:
    query = (
        select(CaseRow.key, TrainingExample.mask_id, CaseRow.film_digest)
        .join(TrainingExample, TrainingExample.case_id == CaseRow.id)
        .where(TrainingExample.checkpoint_id == checkpoint_id)
    )
    found = session.execute(query).all()
    if not all(digest for _, _, digest in found):
        msg = f"A film that the networks of stage {round_.stage.address} learned from was withdrawn since."
        raise StateError(msg, hint="Late films wait for the next round: train again when this one is read.")
    return tuple(sorted(Example(key, mask_id) for key, mask_id, _ in found))
