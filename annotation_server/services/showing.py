"""A comparison as its reader may know it.

Nothing that leaves here names a case, a patient, a row, or who made a candidate.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from annotation_server.services.claiming import Claimant, count_free, count_own
from annotation_server.services.display import Display, MaskSource
from annotation_server.services.serial import count_others
from db.domain.mask import dice, grid_shape, unpack
from db.domain.study import SeatKind
from db.domain.verdict import Decision
from db.models import Candidate, Comparison, MaskRow, Verdict
from db.repository.checks import is_right

Task = Literal["choose", "draw"]


@dataclass(frozen=True)
class Feedback:
    """What a practice case teaches: the slot of the right mask, and the Dice of what the reader said against it."""

    right_slot: int
    dice: float | None


@dataclass(frozen=True)
class ReadingView:
    """A comparison as its reader may know it; `verdict` is the reader's own that counts now.

    Without candidates the task is to draw. Only a practice case that was decided has `feedback`. The reader may ask
    for `n_serial_films` others of the patient.
    """

    token: str
    width_px: int
    height_px: int
    grid_width_px: int
    grid_height_px: int
    n_candidates: int
    n_decided: int
    n_left: int
    verdict: Decision | None
    task: Task
    with_confidence: bool
    redraw_from_candidate: bool
    is_practice: bool
    n_serial_films: int
    feedback: Feedback | None
    has_lungs: bool


def show(session: Session, display: Display, reader: Claimant, seat: Comparison) -> ReadingView:
    """A comparison, and how far its reader is."""
    height, width = seat.case.height_px, seat.case.width_px
    grid_height, grid_width = grid_shape(height, width)
    own = count_own(session, reader)
    study = reader.round.stage.definition.study
    return ReadingView(
        token=seat.token or "",
        width_px=width,
        height_px=height,
        grid_width_px=grid_width,
        grid_height_px=grid_height,
        n_candidates=len(seat.order or []),
        n_decided=own.n_decided,
        n_left=own.n_own - own.n_decided + count_free(session, reader, own),
        verdict=_decision(seat.verdicts[-1]) if seat.verdicts else None,
        task="draw" if seat.kind.is_drawn else "choose",
        with_confidence=study.with_confidence,
        redraw_from_candidate=study.redraw_from_candidate,
        is_practice=seat.kind is SeatKind.PRACTICE,
        n_serial_films=count_others(session, reader.round.stage, seat.case),
        feedback=give_feedback(session, display, seat),
        has_lungs=seat.case.lung_digest is not None,
    )


def give_feedback(session: Session, display: Display, seat: Comparison) -> Feedback | None:
    """What a practice case teaches once it is decided; None for any other."""
    if seat.kind is not SeatKind.PRACTICE or not seat.verdicts:
        return None
    masks = masks_by_slot(session, seat)
    right_slot = next(slot for slot, mask in enumerate(masks) if is_right(mask))
    said = seat.verdicts[-1].mask
    if said is None:
        return Feedback(right_slot, None)
    height, width = seat.case.height_px, seat.case.width_px
    grid = grid_shape(height, width)
    shown = [unpack(display.bits(mask_source(mask, height, width)), *grid) for mask in (said, masks[right_slot])]
    return Feedback(right_slot, dice(*shown))


def masks_by_slot(session: Session, seat: Comparison) -> list[MaskRow]:
    """The seat's candidates, in the order of its slots."""
    query = select(Candidate).where(Candidate.round_id == seat.round_id, Candidate.case_id == seat.case_id)
    found = session.scalars(query.options(joinedload(Candidate.mask)))
    by_position = {candidate.position: candidate.mask for candidate in found}
    return [by_position[position] for position in seat.order or []]


def mask_source(mask: MaskRow, height: int, width: int) -> MaskSource:
    """Where a candidate's pixels come from."""
    return MaskSource(mask.map_digest or mask.digest or "", mask.map_digest is not None, height, width)


def _decision(verdict: Verdict) -> Decision:
    return Decision(
        kind=verdict.kind,
        slot=verdict.slot,
        also_acceptable=frozenset(verdict.also_acceptable),
        reason=verdict.reason,
        confidence=verdict.confidence,
        visible_ms=verdict.visible_ms,
        started_from=verdict.started_from,
    )
