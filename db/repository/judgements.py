"""The verdicts of an unblinded stage with the origins behind them: the one place where they meet."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from db.artifacts import Store
from db.domain.agreement import MANUAL, Judgement, find_equal_slots
from db.domain.campaign import StageState
from db.domain.errors import StateError
from db.domain.provenance import MaskOrigin
from db.domain.study import SeatKind
from db.models import Candidate, MaskRow, Round, Stage, Verdict
from db.repository.pixels import grid_mask
from db.repository.verdicts import READ, current_verdicts

UNBLINDED = frozenset({StageState.UNBLINDED, StageState.CLOSED})


def require_unblinded(stage: Stage) -> None:
    """Raise StateError unless the origins of the stage's candidates may be told."""
    if stage.state not in UNBLINDED:
        msg = f"Stage {stage.address} is {stage.state}: who made which candidate is hidden."
        raise StateError(msg, hint=f"Run `overread stage unblind {stage.address}` when its reading is over.")


def judge_round(
    session: Session, store: Store, round_id: int, *, kinds: Collection[SeatKind] = READ, of_all: bool = False
) -> list[Judgement]:
    """Every verdict of a round that counts, with the origin in each slot; those of plain readings, or of `kinds`.

    Verdicts of readers who left and do not count are among them only `of_all`.

    Raises
    ------
    StateError
        Before the stage is unblinded.
    """
    require_unblinded(session.get_one(Round, round_id).stage)
    found = current_verdicts(session, round_id, kinds=kinds, of_all=of_all)
    verdicts = [verdict for of_case in found.values() for verdict in of_case]
    offered: dict[int, dict[int, MaskRow]] = defaultdict(dict)
    query = select(Candidate).where(Candidate.round_id == round_id)
    for one in session.scalars(query.options(joinedload(Candidate.mask).joinedload(MaskRow.checkpoint))):
        offered[one.case_id][one.position] = one.mask
    return [_judgement(store, verdict, offered[verdict.comparison.case_id]) for verdict in verdicts]


def _judgement(store: Store, verdict: Verdict, by_position: Mapping[int, MaskRow]) -> Judgement:
    seat = verdict.comparison
    masks = [by_position[position] for position in seat.order or []]
    equal = frozenset[int]()
    if verdict.slot is not None:
        equal = find_equal_slots([grid_mask(store, mask) for mask in masks], verdict.slot)
    return Judgement(
        case=seat.case.key,
        reader=verdict.account.code,
        origins=tuple(origin_name(mask) for mask in masks),
        kind=verdict.kind,
        slot=verdict.slot,
        equal_slots=equal,
        patient=seat.case.patient,
        holds_own=any(mask.origin is MaskOrigin.DRAWING and mask.account_id == verdict.account_id for mask in masks),
    )


def origin_name(mask: MaskRow) -> str:
    """What an unblinded candidate is called: a network's name, the drawing, or a check case's right or flawed mask."""
    if mask.checkpoint is not None:
        return mask.checkpoint.network
    if mask.origin is MaskOrigin.FLAWED:
        return "flawed" if mask.parent_id else "right"
    return MANUAL
