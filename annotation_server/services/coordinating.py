"""What a coordinator does: create a campaign, take its stages from draft to closed, see where they stand.

The dashboard and the command line call these functions; both show the errors that they raise. Each step stands in the
audit log, by its `actor`: the code of an account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from annotation_server.services.adjudicating import withdraw_settled
from annotation_server.services.enrolling import draw_sentinels, enrol, take_cases
from db import audit, jobs
from db.domain.analysis import analysis_plan
from db.domain.audit import AuditAction
from db.domain.campaign import NEXT_VERB, CampaignDefinition, RoundState, StageState, advance
from db.domain.errors import InputError, StateError
from db.domain.provenance import JobKind
from db.domain.study import DRAWN, OWED
from db.models import Campaign, CampaignCase, Comparison, Draft, Job, Round, Stage, now
from db.record import Record
from db.repository.cases import find_stage
from db.repository.checks import require_right_masks
from db.repository.finals import require_agreement, settle_round
from db.repository.pixels import Likeness
from db.repository.plans import drawings, round_plan
from db.repository.roster import require_readers
from db.repository.seating import end_drawing, name_cases, seat_drawers
from db.repository.verdicts import weigh_verdicts


@dataclass(frozen=True)
class StageStatus:
    """Where a stage stands, without anything that would unblind it."""

    address: str
    state: StageState
    round_number: int | None
    round_state: RoundState | None
    n_cases: int
    n_drawn: int
    n_comparisons: int
    n_decided: int
    job: Job | None
    next_verb: str | None


def create_campaign(
    session: Session, name: str, definition: CampaignDefinition, *, actor: str = audit.SYSTEM
) -> Campaign:
    """A new campaign with its stages in draft.

    Raises
    ------
    InputError
        If the name is taken, empty or holds a slash.
    """
    if not name or "/" in name:
        msg = f"A campaign cannot be called {name!r}."
        raise InputError(msg, hint="Use letters, digits and dashes.")
    if session.scalar(select(Campaign).where(Campaign.name == name)):
        msg = f"There is a campaign {name!r} already."
        raise InputError(
            msg,
            hint=f"Choose another name, or go on with `overread stage status {name}/I`.",
        )
    campaign = Campaign(name=name, definition_json=definition.to_json())
    campaign.stages = [Stage(name=stage.name, position=i) for i, stage in enumerate(definition.stages)]
    session.add(campaign)
    audit.log(session, actor, AuditAction.CAMPAIGN_CREATED, name, protocol=definition.digest)
    return campaign


def open_stage(session: Session, address: str, *, n_cases: int | None = None, actor: str = audit.SYSTEM) -> Stage:
    """Open a stage: fix its films (`enrolling`) and begin its first round.

    Raises
    ------
    StateError
        If the stage is not a draft, or the one before it is not closed, or it would have no case.
    InputError
        If there are too few patients for the campaign's folds.
    """
    stage = find_stage(session, address)
    advance(stage.state, StageState.OPEN, stage=address)
    if stage.position > 0:
        before = stage.campaign.stages[stage.position - 1]
        if before.state is not StageState.CLOSED:
            msg = f"Stage {address} cannot open while {before.address} is {before.state}."
            raise StateError(msg, hint=f"Next is `overread stage {NEXT_VERB[before.state]} {before.address}`.")
    enrol(session, stage.campaign)
    take_cases(session, stage, n_cases)
    draw_sentinels(session, stage)
    stage.state, stage.opened_at = StageState.OPEN, now()
    stage.analysis_plan = analysis_plan(stage.definition, seed=stage.campaign.definition.seed)
    stage.rounds.append(Round(number=1))
    session.flush()
    if not stage.definition.with_drawing:
        require_right_masks(session, stage)
    seat_drawers(session, stage.rounds[0])
    session.flush()
    audit.log(session, actor, AuditAction.STAGE_OPENED, address, protocol=stage.protocol_digest, n_cases=n_cases)
    return stage


def request_training(record: Record, address: str, *, leave_open: bool = False, actor: str = audit.SYSTEM) -> int:
    """Enqueue the training of a stage's round; the job's id.

    Where the present round has been read to its end, it is settled and a further round begins. With `leave_open`,
    films that nobody drew stay undrawn: they are not proposed for, or are no sentinels.

    Raises
    ------
    StateError
        If the stage is not open, is being trained already, has films that are still to be drawn or comparisons
        without a verdict, or a design that its readers or right masks cannot meet.
    """
    likeness = _compare_masks(record, address)
    with record.database.write() as session:
        stage = _require_open(_held_stage(session, address))
        round_ = stage.rounds[-1]
        _refuse_running(session, stage, round_)
        if round_.state is RoundState.DRAWING:
            end_drawing(session, round_, leave_open=leave_open)
        require_readers(session, stage)
        require_right_masks(session, stage)
        if round_.state is RoundState.READING:
            require_agreement(withdraw_settled(session, likeness, round_), stage)
            _refuse_open_comparisons(session, stage, verb="trained again")
            round_.state = RoundState.DONE  # from here on no verdict of it changes
        round_id, again = round_.id, round_.state is RoundState.DONE
    if again:
        settle_round(record, round_id)
    with record.database.write() as session:
        stage = _require_open(_held_stage(session, address))
        round_ = _next_round(session, stage)
        _refuse_running(session, stage, round_)
        round_.state = RoundState.TRAINING
        round_plan(session, round_.id)
        job_id: int = jobs.enqueue(session, kind=JobKind.TRAIN, campaign_id=stage.campaign_id, round_id=round_.id).id
        audit.log(session, actor, AuditAction.TRAINING_REQUESTED, address, round=round_.number, job=job_id)
    return job_id


def lock_stage(record: Record, address: str, *, leave_open: bool = False, actor: str = audit.SYSTEM) -> int:
    """End the reading of a stage and make its final masks; how many were made.

    With `leave_open`, cases without a verdict leave the stage without a final mask. Locking again finishes what a
    crash interrupted.

    Raises
    ------
    StateError
        If the stage is not open, is still being trained, or has comparisons without a verdict.
    """
    likeness = _compare_masks(record, address)
    with record.database.write() as session:
        stage = _held_stage(session, address)
        if stage.state is not StageState.LOCKED:
            _lock(session, stage, likeness, leave_open=leave_open)
            audit.log(session, actor, AuditAction.STAGE_LOCKED, address, leave_open=leave_open)
        round_id = stage.rounds[-1].id
    return settle_round(record, round_id)


def unblind_stage(record: Record, address: str, *, actor: str = audit.SYSTEM) -> None:
    """Let origins be seen; the final masks are complete from here on.

    Raises
    ------
    StateError
        If the stage is not locked.
    """
    with record.database.read() as session:
        stage = find_stage(session, address)
        advance(stage.state, StageState.UNBLINDED, stage=address)
        round_id = stage.rounds[-1].id
    settle_round(record, round_id)
    with record.database.write() as session:
        stage = find_stage(session, address)
        stage.state, stage.unblinded_at = advance(stage.state, StageState.UNBLINDED, stage=address), now()
        audit.log(session, actor, AuditAction.STAGE_UNBLINDED, address)


def close_stage(session: Session, address: str, *, actor: str = audit.SYSTEM) -> Stage:
    """End a stage for good.

    Raises
    ------
    StateError
        If comparisons are open (they are named), or the stage is not unblinded.
    """
    stage = find_stage(session, address)
    _refuse_open_comparisons(session, stage, verb="closed")
    stage.state, stage.closed_at = advance(stage.state, StageState.CLOSED, stage=address), now()
    audit.log(session, actor, AuditAction.STAGE_CLOSED, address)
    return stage


def stage_status(session: Session, stage: Stage) -> StageStatus:
    """Where a stage stands."""
    round_ = stage.rounds[-1] if stage.rounds else None
    members = select(CampaignCase).where(CampaignCase.stage_id == stage.id)
    kinds = DRAWN if round_ and round_.state is RoundState.DRAWING else OWED
    seats = select(Comparison).where(Comparison.round_id == (round_.id if round_ else None), Comparison.kind.in_(kinds))
    return StageStatus(
        address=stage.address,
        state=stage.state,
        round_number=round_.number if round_ else None,
        round_state=round_.state if round_ else None,
        n_cases=_count(session, members),
        n_drawn=len(drawings(session, stage.campaign_id)) if stage.definition.with_drawing else 0,
        n_comparisons=_count(session, seats),
        n_decided=_count(session, seats.where(Comparison.decided_at.is_not(None))),
        job=_last_job(session, round_) if round_ else None,
        next_verb=_next_verb(stage, round_),
    )


def _compare_masks(record: Record, address: str) -> Likeness:
    """Compare the masks that readers of one case chose before any lock is taken: it takes long, and is remembered."""
    likeness = Likeness(record.store)
    with record.database.read() as session:
        stage = find_stage(session, address)
        for round_ in stage.rounds[-1:]:
            weigh_verdicts(session, likeness, round_.id)
    return likeness


def _lock(session: Session, stage: Stage, likeness: Likeness, *, leave_open: bool) -> None:
    advance(stage.state, StageState.LOCKED, stage=stage.address)
    round_ = stage.rounds[-1]
    _refuse_running(session, stage, round_)  # it may propose for late films
    if round_.state not in {RoundState.READING, RoundState.DONE}:
        msg = f"Stage {stage.address} is in its {round_.state} round; there is nothing to lock yet."
        raise StateError(msg, hint=f"Run `overread stage train {stage.address}` and `overread worker` first.")
    if leave_open:
        for comparison in _undecided(session, round_.id, lock=True):  # a verdict comes before that, or too late
            session.execute(delete(Draft).where(Draft.comparison_id == comparison.id))
            session.delete(comparison)
        session.flush()
    require_agreement(withdraw_settled(session, likeness, round_), stage)
    _refuse_open_comparisons(session, stage, verb="locked")
    stage.state, stage.locked_at, round_.state = StageState.LOCKED, now(), RoundState.DONE


def _held_stage(session: Session, address: str) -> Stage:
    """The stage, locked: whoever else would take it a step further waits for this transaction."""
    stage = find_stage(session, address)
    session.refresh(stage, with_for_update=True)
    return stage


def _require_open(stage: Stage) -> Stage:
    if stage.state is not StageState.OPEN:
        msg = f"Stage {stage.address} is {stage.state}; only an open stage is trained."
        hint = f"Run `overread stage open {stage.address}` first." if stage.state is StageState.DRAFT else ""
        raise StateError(msg, hint=hint)
    return stage


def _next_round(session: Session, stage: Stage) -> Round:
    if stage.rounds[-1].state is RoundState.DONE:
        stage.rounds.append(Round(number=stage.rounds[-1].number + 1))
        session.flush()
    return stage.rounds[-1]


def _refuse_running(session: Session, stage: Stage, round_: Round) -> None:
    job = _last_job(session, round_)
    if job is not None and job.state.is_active:
        msg = f"Stage {stage.address} is being trained already (job {job.id}, {job.state})."
        raise StateError(msg, hint=f"Watch it with `overread stage status {stage.address}`.")


def _refuse_open_comparisons(session: Session, stage: Stage, *, verb: str) -> None:
    undecided = _undecided(session, stage.rounds[-1].id) if stage.rounds else []
    if not undecided:
        return
    msg = f"Stage {stage.address} cannot be {verb}: {len(undecided)} comparisons are open ({name_cases(undecided)})."
    last_due = max((seat.available_at for seat in undecided if seat.available_at), default=None)
    due = f" The last repeat comes due on {last_due:%Y-%m-%d}." if last_due and last_due > now() else ""
    raise StateError(msg, hint=f"Let readers decide them, or lock with `--leave-open`.{due}")


def _undecided(session: Session, round_id: int, *, lock: bool = False) -> Sequence[Comparison]:
    """Seats that the round still owes; check and practice cases may stay undecided."""
    query = select(Comparison).where(
        Comparison.round_id == round_id, Comparison.decided_at.is_(None), Comparison.kind.in_(OWED)
    )
    query = query.order_by(Comparison.id)
    return session.scalars(query.with_for_update() if lock else query).all()


def _last_job(session: Session, round_: Round) -> Job | None:
    return session.scalar(select(Job).where(Job.round_id == round_.id).order_by(Job.id.desc()).limit(1))


def _next_verb(stage: Stage, round_: Round | None) -> str | None:
    if stage.state is StageState.OPEN and round_ is not None and round_.state is not RoundState.READING:
        return "train"
    return NEXT_VERB.get(stage.state)


def _count(session: Session, query: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0
