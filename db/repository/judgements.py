"""The verdicts of an unblinded stage with the origins behind them: the one place where they meet."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.agreement import MANUAL, Judgement, find_equal_slots
from db.domain.campaign import StageState
from db.domain.errors import StateError
from db.models import Candidate, Round, Stage, Verdict
from db.repository.pixels import grid_mask
from db.repository.verdicts import current_verdicts

UNBLINDED = frozenset({StageState.UNBLINDED, StageState.CLOSED})


def require_unblinded(stage: Stage) -> None:
    """Raise StateError unless the origins of the stage's candidates may be told."""
    if stage.state not in UNBLINDED:
        msg = f"Stage {stage.address} is {stage.state}: who made which candidate is hidden."
        raise StateError(msg, hint=f"Run `overread stage unblind {stage.address}` when its reading is over.")


def judge_round(session: Session, store: Store, round_id: int) -> list[Judgement]:
    """Every verdict of a round that counts, with the origin in each slot.

    Raises
    ------
    StateError
        Before the stage is unblinded.
    """
    require_unblinded(session.get_one(Round, round_id).stage)
    verdicts = [verdict for of_case in current_verdicts(session, round_id).values() for verdict in of_case]
    return [_judgement(session, store, verdict) for verdict in verdicts]


def _judgement(session: Session, store: Store, verdict: Verdict) -> Judgement:
    seat = verdict.comparison
    query = select(Candidate).where(Candidate.round_id == seat.round_id, Candidate.case_id == seat.case_id)
    by_position = {candidate.position: candidate.mask for candidate in session.scalars(query)}
    masks = [by_position[position] for position in seat.order or []]
    equal = frozenset[int]()
    if verdict.slot is not None:
        equal = find_equal_slots([grid_mask(store, mask) for mask in masks], verdict.slot)
    return Judgement(
        case=seat.case.key,
        reader=verdict.account.code,
        origins=tuple(mask.checkpoint.network if mask.checkpoint else MANUAL for mask in masks),
        kind=verdict.kind,
        slot=verdict.slot,
        equal_slots=equal,
    )
