"""Readers come to a stage and leave it: assignments, leases, and what becomes of their verdicts.

Each function runs in the caller's transaction, so that the caller can log the step in it.
"""

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.domain.campaign import RoundState
from db.domain.errors import InputError, StateError
from db.domain.provenance import JobState, Role
from db.domain.study import DRAWN, SHARED, SeatKind
from db.models import Account, Comparison, Draft, Job, Round, Stage, StageReader, now
from db.repository.roster import is_assigned, present_readers


def assign_reader(session: Session, stage: Stage, account: Account, *, quota: int | None = None) -> StageReader:
    """Assign a reader to a stage, or change the quota, or take one who left back with all verdicts.

    The first assignment closes a stage that was open to all to everybody else.

    Raises
    ------
    InputError
        If the account is no active reader, or the quota is negative.
    StateError
        If networks are being trained on what the reader's return would change.
    """
    if account.role is not Role.READER or not account.active:
        msg = f"{account.code} is not an active reader."
        raise InputError(msg, hint="Only readers judge films; reactivate the account or invite another.")
    if quota is not None and quota < 0:
        msg = f"A quota of {quota} seats was asked for."
        raise InputError(msg, hint="Give 0 or more, or none for as many as there are.")
    place = session.get(StageReader, (stage.id, account.id))
    if place is None:
        place = StageReader(stage_id=stage.id, account_id=account.id)
        session.add(place)
    if place.counts is False:
        _refuse_while_trained(session, stage)
    place.quota, place.left_at, place.counts = quota, None, True
    session.flush()
    return place


def leave_stage(session: Session, stage: Stage, account: Account, *, counts: bool) -> int:
    """Let a reader leave: leases end at once, undecided seats are free for others; how many seats that were.

    A stage that was open to all is assigned to all its other readers from now on. Whether the verdicts count is a
    decision that is kept; `count_verdicts` changes it.
    """
    session.refresh(account, with_for_update={"key_share": True})  # no claim of this reader meanwhile
    if not is_assigned(session, stage.id):
        for other in present_readers(session, stage.id):
            assign_reader(session, stage, other)
    place = session.get(StageReader, (stage.id, account.id))
    if place is None:
        place = StageReader(stage_id=stage.id, account_id=account.id)
        session.add(place)
    place.left_at = place.left_at or now()
    session.flush()
    n_freed = sum(release_seats(session, round_, account) for round_ in stage.rounds[-1:])
    count_verdicts(session, stage, account, counts=counts)
    return n_freed


def count_verdicts(session: Session, stage: Stage, account: Account, *, counts: bool) -> None:
    """Decide whether the verdicts of one who left count, drawings included.

    Without them their cases get new seats while they are drawn or read. Candidates on offer stay, whoever drew them.

    Raises
    ------
    InputError
        If the reader has not left the stage.
    StateError
        If networks are being trained on what this would change.
    """
    place = session.get(StageReader, (stage.id, account.id))
    if place is None or place.left_at is None:
        msg = f"{account.code} has not left stage {stage.address}; the verdicts of its readers count."
        raise InputError(msg, hint="Let the reader leave first.")
    if place.counts != counts:
        _refuse_while_trained(session, stage)
    if place.counts and not counts and stage.rounds:
        _seat_others(session, stage.rounds[-1], account)
    place.counts = counts
    session.flush()


def release_seats(session: Session, round_: Round, account: Account) -> int:
    """Free a reader's undecided seats in a round; those made for this reader alone go. How many seats that were."""
    query = select(Comparison).where(
        Comparison.round_id == round_.id, Comparison.account_id == account.id, Comparison.decided_at.is_(None)
    )
    seats = session.scalars(query.with_for_update()).all()
    for seat in seats:
        session.execute(delete(Draft).where(Draft.comparison_id == seat.id))
        if seat.kind not in SHARED:
            session.delete(seat)
            continue
        seat.account_id = seat.token = seat.claimed_at = seat.leased_until = seat.postponed_at = None
        if seat.kind is not SeatKind.PAIR:  # the two of a pair were chosen when it was made
            seat.order = None
    session.flush()
    return len(seats)


def release_everywhere(session: Session, account: Account) -> int:
    """Free all undecided seats of a reader whose account was deactivated; how many seats that were."""
    rounds = select(Comparison.round_id).where(Comparison.account_id == account.id, Comparison.decided_at.is_(None))
    found = session.scalars(select(Round).where(Round.id.in_(rounds))).all()
    return sum(release_seats(session, round_, account) for round_ in found)


def add_seats(session: Session, round_: Round) -> int:
    """One more reader for every case of a round that is read; how many seats were made."""
    of_case = select(Comparison.case_id).where(Comparison.round_id == round_.id, Comparison.kind == SeatKind.READING)
    return _add(session, round_, SeatKind.READING, list(session.scalars(of_case.distinct())))


def _refuse_while_trained(session: Session, stage: Stage) -> None:
    jobs = select(Job.id).where(Job.round_id.in_([one.id for one in stage.rounds]), Job.state.in_(JobState.active()))
    if (job := session.scalar(jobs.limit(1))) is not None:
        msg = f"Job {job} trains the networks of stage {stage.address} on what its readers drew and said."
        raise StateError(msg, hint="Decide when it has ended, or cancel it; until then a reader leaves with verdicts.")


def _seat_others(session: Session, round_: Round, account: Account) -> None:
    due = {RoundState.DRAWING: DRAWN, RoundState.READING: {SeatKind.READING}}.get(round_.state, ())
    for kind in sorted(due):
        decided = select(Comparison.case_id).where(
            Comparison.round_id == round_.id,
            Comparison.account_id == account.id,
            Comparison.kind == kind,
            Comparison.decided_at.is_not(None),
        )
        _add(session, round_, kind, list(session.scalars(decided)))


def _add(session: Session, round_: Round, kind: SeatKind, case_ids: list[int]) -> int:
    session.get_one(Round, round_.id, with_for_update=True)  # nobody else numbers seats meanwhile
    last = (
        select(Comparison.case_id, func.max(Comparison.seat), func.max(Comparison.rank))
        .where(Comparison.round_id == round_.id, Comparison.kind == kind, Comparison.case_id.in_(case_ids))
        .group_by(Comparison.case_id)
    )
    for case_id, seat, rank in session.execute(last).all():
        session.add(Comparison(round_id=round_.id, case_id=case_id, seat=seat + 1, kind=kind, rank=rank))
    session.flush()
    return len(case_ids)
