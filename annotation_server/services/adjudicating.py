"""Cases whose readers differ: the queue, and the further reader who settles each.

An adjudicator sees the round's candidates as any reader does, and neither votes nor names. Nothing here tells who said
what, or who made a mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.domain.campaign import RoundState
from db.domain.errors import InputError, StateError
from db.domain.provenance import Role
from db.domain.study import SeatKind, seat_number
from db.models import Account, Comparison, Round, Stage
from db.repository.pixels import Likeness
from db.repository.roster import refuse_who_left
from db.repository.verdicts import Outcome, weigh_verdicts


@dataclass(frozen=True)
class DisputedCase:
    """A case without a majority.

    `adjudicator` is the code of the reader who has the seat, None while it is free or not made; `is_seated` tells
    these apart. `n_open` readers have not decided yet, so that a majority may still come.
    """

    case: str
    n_verdicts: int
    n_open: int
    is_seated: bool
    adjudicator: str | None


def adjudication_queue(session: Session, likeness: Likeness, stage: Stage) -> list[DisputedCase]:
    """The disputed cases of a stage's present round, by key."""
    if not stage.rounds:
        return []
    round_ = stage.rounds[-1]
    disputed = weigh_verdicts(session, likeness, round_.id).disputed
    query = select(Comparison).where(
        Comparison.round_id == round_.id, Comparison.case_id.in_(disputed), Comparison.decided_at.is_(None)
    )
    seats = session.scalars(query).all()
    queue = []
    for case_id, verdicts in disputed.items():
        open_ = [seat for seat in seats if seat.case_id == case_id]
        made = [seat for seat in open_ if seat.kind is SeatKind.ADJUDICATION]
        holder = session.get(Account, made[0].account_id) if made and made[0].account_id else None
        queue.append(
            DisputedCase(
                case=verdicts[0].comparison.case.key,
                n_verdicts=len(verdicts),
                n_open=sum(seat.kind is SeatKind.READING for seat in open_),
                is_seated=bool(made),
                adjudicator=holder.code if holder else None,
            )
        )
    return sorted(queue, key=lambda one: one.case)


def request_adjudication(
    session: Session, likeness: Likeness, stage: Stage, *, adjudicator: Account | None = None, cases: Sequence[str] = ()
) -> int:
    """Make seats before disputed cases that have none; how many.

    Parameters
    ----------
    adjudicator
        Who is to settle them; None: any reader of the stage who has not read the case.
    cases
        Keys of the cases; none: all in the queue whose readers are done.

    Raises
    ------
    InputError
        If a case is not in the queue, or the adjudicator is no active reader or has read one of the cases.
    StateError
        If the stage is not being read.
    """
    if not stage.rounds or stage.rounds[-1].state is not RoundState.READING:
        msg = f"Stage {stage.address} is not being read; nothing is adjudicated."
        raise StateError(msg, hint=f"Run `overread stage status {stage.address}`.")
    round_ = stage.rounds[-1]
    waiting = {one.case: one for one in adjudication_queue(session, likeness, stage)}
    if unknown := sorted(set(cases) - set(waiting)):
        msg = f"Cases {', '.join(unknown)} are not disputed."
        raise InputError(msg, hint="Their readers agree, or have not decided yet; look at the queue.")
    chosen = cases or [key for key, one in waiting.items() if not one.n_open]
    disputed = weigh_verdicts(session, likeness, round_.id).disputed
    of_key = {verdicts[0].comparison.case.key: case_id for case_id, verdicts in disputed.items()}
    case_ids = [of_key[key] for key in chosen if not waiting[key].is_seated]
    if adjudicator is not None:
        _require_impartial(session, round_, adjudicator, case_ids)
    for case_id in case_ids:
        session.add(_seat(session, round_, case_id, adjudicator))
    session.flush()
    return len(case_ids)


def withdraw_settled(session: Session, likeness: Likeness, round_: Round) -> Outcome:
    """Take back undecided seats of adjudicators whose cases have been settled by a revision since."""
    outcome = weigh_verdicts(session, likeness, round_.id)
    query = select(Comparison).where(
        Comparison.round_id == round_.id, Comparison.kind == SeatKind.ADJUDICATION, Comparison.decided_at.is_(None)
    )
    for seat in session.scalars(query.with_for_update()):
        if seat.case_id not in outcome.disputed:
            session.delete(seat)
    session.flush()
    return outcome


def _seat(session: Session, round_: Round, case_id: int, adjudicator: Account | None) -> Comparison:
    before = select(func.count()).where(
        Comparison.round_id == round_.id, Comparison.case_id == case_id, Comparison.kind == SeatKind.ADJUDICATION
    )
    return Comparison(
        round_id=round_.id,
        case_id=case_id,
        seat=seat_number(SeatKind.ADJUDICATION, session.scalar(before) or 0),
        kind=SeatKind.ADJUDICATION,
        account_id=adjudicator.id if adjudicator else None,
    )


def _require_impartial(session: Session, round_: Round, adjudicator: Account, case_ids: Sequence[int]) -> None:
    if adjudicator.role is not Role.READER or not adjudicator.active:
        msg = f"{adjudicator.code} is not an active reader."
        raise InputError(msg, hint="Only readers adjudicate.")
    refuse_who_left(session, round_.stage, adjudicator.id)
    query = select(func.count()).where(
        Comparison.round_id == round_.id,
        Comparison.case_id.in_(case_ids),
        Comparison.account_id == adjudicator.id,
        Comparison.kind.in_({SeatKind.READING, SeatKind.PAIR, SeatKind.SENTINEL}),
    )
    if n_read := session.scalar(query):
        msg = f"{adjudicator.code} has read {n_read} of these {len(case_ids)} cases."
        raise InputError(msg, hint="Name a reader who has not, or leave the seats to any such reader.")
