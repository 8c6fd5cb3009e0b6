"""Check and practice cases: one right mask among flawed ones, and each reader's seats before them.

Right masks are the final masks of the campaign's earlier stages and the truth of phantom films; a first stage, and one
with drawings, takes its own films too: their truth, else their drawings, for readers other than who drew them. Which
mask is right is never told before the stage is unblinded, but for a practice case.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.campaign import Arm, RoundState
from db.domain.errors import InputError, StateError
from db.domain.flawed import flawed_masks
from db.domain.provenance import MaskOrigin
from db.domain.study import SeatKind, first_position, keyed_integer, seat_number
from db.models import Account, CampaignCase, Candidate, Comparison, FinalMask, MaskRow, PhantomTruth, Round, Stage
from db.record import Record
from db.repository.plans import drawings
from db.repository.roster import is_assigned, present_readers

CHECKED = (SeatKind.PRACTICE, SeatKind.CHECK)


@dataclass(frozen=True)
class RightMask:
    """A mask file at the film's size that is held to be right; `drawer` does not judge it."""

    case_id: int
    digest: str
    drawer: int | None = None
    simulated: bool = False


@dataclass(frozen=True)
class FlawedSet:
    """A right mask with the digests of its flawed copies, for seats of one kind."""

    kind: SeatKind
    right: RightMask
    flawed: tuple[str, ...]


def is_right(mask: MaskRow) -> bool:
    """Whether a check or practice case's mask is the right one; its flawed copies name it as their parent."""
    return mask.parent_id is None


def require_right_masks(session: Session, stage: Stage) -> None:
    """Refuse a stage whose design asks for more check and practice cases than there are right masks.

    Raises
    ------
    StateError
        It says how many are needed and how many there are.
    """
    study = stage.definition.study
    if needed := study.n_practice_cases + study.n_check_cases:
        right = _find_right(session, stage)
        readers = _measured_readers(session, stage)
        _require_enough(stage, needed, min(sum(one.drawer != reader for one in right) for reader in readers))


def make_flawed(record: Record, round_id: int, rng: np.random.Generator) -> list[FlawedSet]:
    """Flawed copies of right masks, drawn at random, so many that each reader has what the design asks for.

    Raises
    ------
    StateError
        If too few masks allow them.
    """
    with record.database.read() as session:
        stage = session.get_one(Round, round_id).stage
        study = stage.definition.study
        n_of_kind = {SeatKind.PRACTICE: study.n_practice_cases, SeatKind.CHECK: study.n_check_cases}
        right = _find_right(session, stage) if any(n_of_kind.values()) else []
        readers = _measured_readers(session, stage)
    order = iter([right[i] for i in rng.permutation(len(right))])
    made: list[FlawedSet] = []
    for kind in CHECKED:
        owed = dict.fromkeys(readers, n_of_kind[kind])
        for one in order if any(owed.values()) else ():
            takers = [reader for reader, n in owed.items() if n and reader != one.drawer]
            flawed = _flaw(record, one, stage.definition.n_candidates - 1, rng) if takers else None
            if flawed is None:
                continue
            made.append(FlawedSet(kind, one, flawed))
            owed |= {reader: owed[reader] - 1 for reader in takers}
            if not any(owed.values()):
                break
        if n_short := max(owed.values()):
            _require_enough(stage, sum(n_of_kind.values()), sum(n_of_kind.values()) - n_short)
    return made


def offer_flawed(session: Session, round_: Round, sets: Iterable[FlawedSet], rng: np.random.Generator) -> None:
    """Make candidates of flawed sets, at positions beyond the round's own."""
    n = round_.stage.definition.n_candidates
    for one in sets:
        place = {"campaign_id": round_.stage.campaign_id, "case_id": one.right.case_id, "origin": MaskOrigin.FLAWED}
        right = MaskRow(digest=one.right.digest, simulated=one.right.simulated, **place)
        session.add(right)
        session.flush()
        flawed = [
            MaskRow(digest=digest, parent_id=right.id, simulated=right.simulated, **place) for digest in one.flawed
        ]
        positions = first_position(one.kind, n) + rng.permutation(n)
        session.add_all(
            Candidate(round_id=round_.id, case_id=one.right.case_id, position=position, mask=mask)
            for position, mask in zip(positions.tolist(), [right, *flawed], strict=True)
        )


def seat_for_checks(session: Session, round_: Round, reader: Account) -> None:
    """Make a reader's seats before check and practice cases, once; practice only where the stage has given none.

    Which cases a reader gets, and in which order, follows from the campaign's seed and the reader.
    """
    study = round_.stage.definition.study
    n_of_kind = {SeatKind.PRACTICE: study.n_practice_cases, SeatKind.CHECK: study.n_check_cases}
    if not any(n_of_kind.values()) or round_.state is not RoundState.READING:
        return
    kinds = select(Comparison.kind, Comparison.round_id).join(Round).where(Round.stage_id == round_.stage_id)
    there = set(session.execute(kinds.where(Comparison.account_id == reader.id, Comparison.kind.in_(CHECKED))).all())
    seed = round_.stage.campaign.definition.seed
    for kind in CHECKED:
        if (kind, round_.id) in there or (kind is SeatKind.PRACTICE and any(kind == one for one, _ in there)):
            continue
        cases = _cases_for(session, round_, reader, kind)
        cases.sort(key=lambda case_id: keyed_integer(f"{seed}/{reader.code}/{case_id}/check"))
        session.add_all(
            Comparison(
                round_id=round_.id,
                case_id=case_id,
                seat=seat_number(kind, reader.id),
                kind=kind,
                account_id=reader.id,
            )
            for case_id in cases[: n_of_kind[kind]]
        )
    session.flush()


def _cases_for(session: Session, round_: Round, reader: Account, kind: SeatKind) -> list[int]:
    """Cases with a flawed set of a kind that the reader did not draw."""
    first = first_position(kind, round_.stage.definition.n_candidates)
    offered = select(Candidate.case_id).where(Candidate.round_id == round_.id, Candidate.position == first)
    drawn = select(MaskRow.case_id).where(
        MaskRow.account_id == reader.id,
        MaskRow.origin == MaskOrigin.DRAWING,
        MaskRow.campaign_id == round_.stage.campaign_id,
    )
    return list(session.scalars(offered.where(Candidate.case_id.not_in(drawn))))


def _flaw(record: Record, right: RightMask, n: int, rng: np.random.Generator) -> tuple[str, ...] | None:
    try:
        made = flawed_masks(record.store.get_mask(right.digest), n, rng)
    except InputError:  # too small, too large or empty
        return None
    return tuple(map(record.store.put_mask, made))


def _find_right(session: Session, stage: Stage) -> Sequence[RightMask]:
    """One right mask a case: a phantom's truth, else a final mask, else a drawing; by case."""
    earlier = [one.id for one in stage.campaign.stages[: stage.position]]
    takes_own = stage.position == 0 or stage.definition.with_drawing
    members = select(CampaignCase.case_id).where(
        CampaignCase.campaign_id == stage.campaign_id,
        CampaignCase.arm == Arm.READ,
        CampaignCase.stage_id.in_([*earlier, *([stage.id] if takes_own else [])]),
    )
    found: dict[int, RightMask] = {}
    if takes_own:
        query = select(MaskRow).where(MaskRow.id.in_(drawings(session, stage.campaign_id).values()))
        for mask in session.scalars(query.where(MaskRow.case_id.in_(members))):
            found[mask.case_id] = RightMask(mask.case_id, mask.digest or "", mask.account_id, mask.simulated)
    finals = select(FinalMask).join(Round).where(Round.stage_id.in_(earlier), FinalMask.case_id.in_(members))
    for final in session.scalars(finals.order_by(FinalMask.round_id)):
        found[final.case_id] = RightMask(final.case_id, final.digest, None, final.mask.simulated)
    truths = select(PhantomTruth).where(PhantomTruth.case_id.in_(members))
    for truth in session.scalars(truths):
        found[truth.case_id] = RightMask(truth.case_id, truth.infection_digest, None, simulated=True)
    return [found[case_id] for case_id in sorted(found)]


def _measured_readers(session: Session, stage: Stage) -> list[int]:
    """Those for whom there must be enough: the named readers; of a stage open to all, one who drew nothing."""
    named = present_readers(session, stage.id) if is_assigned(session, stage.id) else []
    return [account.id for account in named] or [0]


def _require_enough(stage: Stage, needed: int, n_found: int) -> None:
    if n_found < needed:
        study = stage.definition.study
        msg = (
            f"Stage {stage.address} needs {needed} right masks for each reader ({study.n_practice_cases} practice and "
            f"{study.n_check_cases} check cases); there are {n_found} that allow plain flaws."
        )
        raise StateError(msg, hint="Import more drawings, close earlier stages, or create a campaign with fewer.")
