"""What a verdict writes: its own row, the mask that it stands for, and what it takes away."""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from annotation_server.services.showing import masks_by_slot
from db.domain.campaign import SHOWS_IDENTIFIER, Arm
from db.domain.errors import InputError
from db.domain.provenance import MaskOrigin
from db.domain.study import SeatKind
from db.domain.verdict import SLOTTED, Decision, VerdictKind
from db.models import Account, CampaignCase, Comparison, Draft, MaskRow, Verdict

MAX_KEY_CHARACTERS = 128

_ORIGIN_OF = {
    VerdictKind.TOUCH_UP: MaskOrigin.TOUCH_UP,
    VerdictKind.DENY_ALL: MaskOrigin.REDRAW,
    VerdictKind.NO_INFECTION: MaskOrigin.EMPTY,
}
"""Verdicts that make a mask."""

_DRAWN_FOR = {SeatKind.DRAWING: MaskOrigin.DRAWING, SeatKind.SENTINEL: MaskOrigin.SENTINEL}
"""Seats whose masks have an origin of their own, empty ones too."""


def answer_to(seat: Comparison, idempotency_key: str) -> Verdict | None:
    """The verdict that a submission of this name has made already."""
    return next((verdict for verdict in seat.verdicts if verdict.idempotency_key == idempotency_key), None)


def check_key(idempotency_key: str) -> None:
    """Raise InputError if a submission's name is empty or too long."""
    if not 0 < len(idempotency_key) <= MAX_KEY_CHARACTERS:
        msg = f"The idempotency key has {len(idempotency_key)} characters."
        raise InputError(msg, hint=f"Send 1 to {MAX_KEY_CHARACTERS}, a UUID for example, new for every submission.")


def check_start(seat: Comparison, decision: Decision) -> None:
    """Raise InputError if a redraw began with a candidate where redraws start blank."""
    if decision.started_from is not None and not seat.round.stage.definition.study.redraw_from_candidate:
        stage = seat.round.stage.address
        msg = f"The redraw started from slot {decision.started_from}; in stage {stage} redraws start blank."
        raise InputError(msg, hint="Reload the page and draw on a blank film.")


def write_verdict(
    session: Session, seat: Comparison, decision: Decision, *, idempotency_key: str, digest: str | None
) -> Verdict:
    """The next revision of a seat's verdict, and the mask that it stands for; `digest` is of a mask that was drawn."""
    verdict = Verdict(
        revision=len(seat.verdicts) + 1,
        account=session.get_one(Account, seat.account_id),
        kind=decision.kind,
        slot=decision.slot,
        also_acceptable=sorted(decision.also_acceptable),
        reason=decision.reason,
        confidence=decision.confidence,
        visible_ms=decision.visible_ms,
        started_from=decision.started_from,
        saw_serial_films=seat.serial_seen_at is not None,
        idempotency_key=idempotency_key,
        protocol_digest=seat.round.stage.protocol_digest,
        mask=_chosen_mask(session, seat, decision, digest),
    )
    seat.verdicts.append(verdict)
    return verdict


def _chosen_mask(session: Session, seat: Comparison, decision: Decision, digest: str | None) -> MaskRow | None:
    """What counts: the candidate that was picked, or a new row for what the reader drew or found empty."""
    slot = decision.slot if decision.kind in SLOTTED else decision.started_from
    basis = None if slot is None else masks_by_slot(session, seat)[slot]
    origin = _DRAWN_FOR.get(seat.kind, _ORIGIN_OF.get(decision.kind)) if digest else None
    if origin is None:
        return basis
    account = session.get_one(Account, seat.account_id)
    return MaskRow(
        campaign_id=seat.round.stage.campaign_id,
        case_id=seat.case_id,
        origin=origin,
        digest=digest,
        account_id=account.id,
        parent_id=basis.id if basis else None,
        simulated=account.simulated,
    )


def take_away(session: Session, seat: Comparison) -> None:
    """Take a film that shows who the patient is away from everybody, at once."""
    member = session.get_one(CampaignCase, (seat.round.stage.campaign_id, seat.case_id))
    member.arm, member.stage_id, member.reason = Arm.SET_ASIDE, None, SHOWS_IDENTIFIER
    others = select(Comparison.id).where(
        Comparison.round_id == seat.round_id, Comparison.case_id == seat.case_id, Comparison.decided_at.is_(None)
    )
    session.flush()
    session.execute(delete(Draft).where(Draft.comparison_id.in_(others)))
    session.execute(delete(Comparison).where(Comparison.id.in_(others)))
