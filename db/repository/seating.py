"""The seats of a round: for those who draw before any candidate exists, and for those who judge."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.domain.campaign import Arm
from db.domain.errors import StateError
from db.domain.study import DRAWN, MAX_RANK, SeatKind, seat_number
from db.models import CampaignCase, CaseRow, Comparison, Draft, Round
from db.repository.plans import drawings

SHOWN_KEYS = 10
"""Case keys that an error message lists before it only counts."""


def seat_drawers(session: Session, round_: Round, *, only: Collection[int] | None = None) -> int:
    """Make a stage's seats for drawing: of its films without a drawing where it has drawings, and of its sentinels.

    With `only`, of these cases: films that joined late. How many seats that were.
    """
    n_made = 0
    stage = round_.stage
    drawn = drawings(session, stage.campaign_id) if stage.definition.with_drawing else {}
    query = select(CampaignCase).join(CaseRow).where(CampaignCase.stage_id == stage.id).order_by(CaseRow.key)
    for member in session.scalars(query if only is None else query.where(CampaignCase.case_id.in_(only))):
        kinds = {SeatKind.SENTINEL: member.arm is Arm.SENTINEL}
        kinds[SeatKind.DRAWING] = stage.definition.with_drawing and member.case.key not in drawn
        n_made += sum(kinds.values())
        session.add_all(
            Comparison(round_id=round_.id, case_id=member.case_id, seat=seat_number(kind, 0), kind=kind)
            for kind, is_due in kinds.items()
            if is_due
        )
    return n_made


def end_drawing(session: Session, round_: Round, *, leave_open: bool) -> None:
    """Take back the seats for drawing that nobody needs any more: of films whose drawings came from elsewhere.

    With `leave_open` all that are undecided are taken back: their films are not proposed for, or are no sentinels.

    Raises
    ------
    StateError
        If films are still to be drawn; they are named.
    """
    drawn = drawings(session, round_.stage.campaign_id)
    query = select(Comparison).where(
        Comparison.round_id == round_.id, Comparison.kind.in_(DRAWN), Comparison.decided_at.is_(None)
    )
    undecided = session.scalars(query).all()
    owed = [seat for seat in undecided if seat.kind is SeatKind.SENTINEL or seat.case.key not in drawn]
    if owed and not leave_open:
        msg = f"Stage {round_.stage.address} still has {len(owed)} films to draw ({name_cases(owed)})."
        raise StateError(msg, hint="Let readers draw them, or train with `--leave-open`.")
    for seat in undecided:
        session.execute(delete(Draft).where(Draft.comparison_id == seat.id))
        session.delete(seat)
    session.flush()


def seat_readers(
    session: Session, round_: Round, drawing_of: Mapping[int, tuple[int, Sequence[int]]], case_ids: Iterable[int]
) -> None:
    """Make the free seats of a round's cases: one for each reader, and the two-pane subset besides.

    Cases that join late get as many as the others have by then: their overlap may have been raised.

    Parameters
    ----------
    drawing_of
        For each case with a drawing on offer its position, and those of the machines.
    """
    definition, rng = round_.stage.definition, np.random.default_rng()
    there = select(func.count()).where(Comparison.round_id == round_.id, Comparison.kind == SeatKind.READING)
    n_there = session.scalars(there.group_by(Comparison.case_id)).all()
    n_each = max(n_there, default=definition.readers_per_case)
    cases = list(case_ids)
    n_pairs = round(definition.study.pair_share * len(drawing_of))
    paired = rng.choice(sorted(drawing_of), n_pairs, replace=False).tolist()
    pairs = {int(case_id): [drawing_of[case_id][0], int(rng.choice(drawing_of[case_id][1]))] for case_id in paired}
    ranks = iter(_spread(len(cases) + len(pairs), rng))
    for case_id in cases:
        rank = next(ranks)
        session.add_all(
            Comparison(round_id=round_.id, case_id=case_id, seat=seat_number(SeatKind.READING, n), rank=rank)
            for n in range(n_each)
        )
    for case_id, order in pairs.items():
        kind, rank = SeatKind.PAIR, next(ranks)
        seat = seat_number(kind, 0)
        session.add(Comparison(round_id=round_.id, case_id=case_id, seat=seat, kind=kind, order=order, rank=rank))


def name_cases(seats: Sequence[Comparison]) -> str:
    """The keys of the seats' cases, the first few of them."""
    keys = sorted({seat.case.key for seat in seats})
    return ", ".join(keys[:SHOWN_KEYS]) + (f" and {len(keys) - SHOWN_KEYS} more" if len(keys) > SHOWN_KEYS else "")


def _spread(n: int, rng: np.random.Generator) -> list[int]:
    """`n` ranks in random order, equally far from each other, so that every case is as likely to be a reader's next."""
    return [int(place * MAX_RANK // max(1, n)) for place in rng.permutation(n).tolist()]
