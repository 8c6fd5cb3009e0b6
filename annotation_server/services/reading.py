"""What a reader does: take the next comparison, look at it, decide, go back.

Nothing that leaves here names a case, a patient, a row, or who made a candidate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session, joinedload, selectinload

from annotation_server.services import seat_queries
from annotation_server.services.claiming import Claimant, claim, count_free, count_own, find_held
from annotation_server.services.display import Display, MaskSource
from annotation_server.services.repeating import plan_repeat
from db.domain.campaign import Arm, RoundState, StageState
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.mask import dice, grid_shape, unpack
from db.domain.provenance import MaskOrigin
from db.domain.study import SeatKind
from db.domain.verdict import SLOTTED, Decision, UnreadableReason, VerdictKind
from db.models import Account, CampaignCase, Candidate, Comparison, Draft, MaskRow, Round, Stage, Verdict, now
from db.record import Record
from db.repository.checks import is_right, seat_for_checks
from db.repository.roster import refuse_who_left

MAX_KEY_CHARACTERS = 128

_ORIGIN_OF = {
    VerdictKind.TOUCH_UP: MaskOrigin.TOUCH_UP,
    VerdictKind.DENY_ALL: MaskOrigin.REDRAW,
    VerdictKind.NO_INFECTION: MaskOrigin.EMPTY,
}
"""Verdicts that make a mask."""

_DRAWN_FOR = {SeatKind.DRAWING: MaskOrigin.DRAWING, SeatKind.SENTINEL: MaskOrigin.SENTINEL}
"""Seats whose masks have an origin of their own, empty ones too."""


Task = Literal["choose", "draw"]


@dataclass(frozen=True)
class Feedback:
    """What a practice case teaches: the slot of the right mask, and the Dice of what the reader said against it."""

    right_slot: int
    dice: float | None


@dataclass(frozen=True)
class ReadingView:
    """A comparison as its reader may know it; `verdict` is the reader's own that counts now.

    Without candidates the task is to draw. Only a practice case that was decided has `feedback`.
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
    feedback: Feedback | None


@dataclass(frozen=True)
class Decided:
    """A comparison that the reader has decided, and how."""

    token: str
    kind: VerdictKind


class ReadingService:
    """The reading room without its screen. One serves all requests: it keeps the last films and masks in memory."""

    def __init__(self, record: Record) -> None:
        self._database, self._store = record.database, record.store
        self._lease = timedelta(minutes=record.settings.lease_minutes)
        self._display = Display(record.store)

    def next_comparison(self, account_id: int, stage_id: int) -> ReadingView | None:
        """The comparison before the reader, else a new one, else one postponed; None when nothing is left.

        Raises
        ------
        NotAllowedError
            If the stage was assigned to others, or the reader has left it.
        StateError
            If the stage is neither drawn nor read.
        """
        with self._database.write() as session:
            # The lock makes a reader with two windows claim one seat after the other.
            account = session.get_one(Account, account_id, with_for_update={"key_share": True})
            round_ = _present_round(session, stage_id)
            reader = Claimant.enter(session, account, round_, now() + self._lease)
            seat_for_checks(session, round_, account)
            seat = (
                find_held(session, reader, postponed=False)
                or claim(session, reader)
                or find_held(session, reader, postponed=True)
            )
            if seat is None:
                return None
            seat.leased_until, seat.postponed_at = reader.leased_until, None
        with self._database.read() as session:  # counting takes long, and needs no lock
            return self._view(session, reader, seat)

    def comparison_ahead(self, account_id: int, token: str) -> ReadingView | None:
        """The comparison that will come after an undecided one, leased as well, so that its pictures can be fetched.

        `next_comparison` gives it once the present one is decided or postponed; None when nothing is left, or the
        present one is decided.

        Raises
        ------
        NotFoundError
            If the token names none of the reader's comparisons.
        StateError
            If the stage is not being read any more.
        """
        with self._database.write() as session:
            account = session.get_one(Account, account_id, with_for_update={"key_share": True})
            present = own_seat(session, account_id, token)
            require_open(session, present)
            if present.decided_at is not None:
                return None
            reader = Claimant.enter(session, account, present.round, now() + self._lease)
            held = find_held(session, reader, postponed=False, beside=present.id)
            seat = held or claim(session, reader)
            if seat is None:
                return None
            seat.leased_until = reader.leased_until
        with self._database.read() as session:
            return self._view(session, reader, seat)

    def open_comparison(self, account_id: int, token: str) -> ReadingView:
        """One of the reader's own comparisons, also a decided one.

        Raises
        ------
        NotFoundError
            If the token names none of the reader's comparisons.
        StateError
            If the stage is not being read any more.
        """
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            reader = Claimant.enter(session, session.get_one(Account, account_id), seat.round, now())
            return self._view(session, reader, seat)

    def feedback(self, account_id: int, token: str) -> Feedback | None:
        """What a practice case teaches once it is decided; None for any other.

        Raises
        ------
        NotFoundError
            If the token names none of the reader's comparisons.
        """
        with self._database.read() as session:
            return self._feedback(session, own_seat(session, account_id, token))

    def film(self, account_id: int, token: str) -> bytes:
        """The film as an 8-bit grey PNG, its long side at most 2048 pixels."""
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            digest = seat.case.film_digest
        return self._display.film(digest)

    def bundle(self, account_id: int, token: str) -> bytes:
        """All candidates in slot order, each as packed bits of its canonical grid mask."""
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            height, width = seat.case.height_px, seat.case.width_px
            sources = [_source(mask, height, width) for mask in _masks_by_slot(session, seat)]
        return b"".join(map(self._display.bits, sources))

    def renew(self, account_id: int, token: str) -> None:
        """Begin the lease of an undecided comparison anew."""
        with self._database.write() as session:
            seat = own_seat(session, account_id, token, lock=True)
            require_open(session, seat)
            if seat.decided_at is None:
                seat.leased_until = now() + self._lease

    def postpone(self, account_id: int, token: str) -> None:
        """Put an undecided comparison behind all others; when its lease runs out another reader may take it."""
        with self._database.write() as session:
            seat = own_seat(session, account_id, token, lock=True)
            require_open(session, seat)
            seat.postponed_at = now()

    def decide(
        self, account_id: int, token: str, decision: Decision, *, idempotency_key: str, drawing: bytes | None
    ) -> int:
        """Store a verdict; its revision. It is on the disk when this returns.

        Parameters
        ----------
        drawing
            For a touch-up or a redraw the mask at the film's size, packed as by `db.domain.mask.pack`.
        idempotency_key
            The reader's name for this submission: sent again it changes nothing and gets the same answer.

        Raises
        ------
        InputError
            If the decision contradicts itself, or the drawing has another size.
        NotFoundError
            If the token names none of the reader's comparisons.
        StateError
            If the stage is not being read any more.
        """
        _check_key(idempotency_key)
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            if earlier := _answer_to(seat, idempotency_key):
                return earlier.revision
            require_open(session, seat)
            decision.check(len(seat.order or []), has_drawing=drawing is not None)
            _check_start(seat, decision)
            height, width = seat.case.height_px, seat.case.width_px
        digest = self._store_mask(decision.kind, drawing, height, width)
        with self._database.write() as session:
            seat = own_seat(session, account_id, token, lock=True)
            if earlier := _answer_to(seat, idempotency_key):
                return earlier.revision
            require_open(session, seat, lock=True)
            verdict = _verdict(session, seat, decision, idempotency_key)
            verdict.mask = _chosen_mask(session, seat, decision, digest)
            seat.verdicts.append(verdict)
            session.execute(delete(Draft).where(Draft.comparison_id == seat.id))
            if seat.decided_at is None:
                seat.decided_at, seat.leased_until = now(), None
                plan_repeat(session, seat, verdict.account, decision.kind)
            if decision.reason is UnreadableReason.IDENTIFIER_VISIBLE:
                _take_away(session, seat)
            return verdict.revision

    def history(self, account_id: int, stage_id: int) -> Sequence[Decided]:
        """The reader's decided comparisons in the round being drawn or read, newest first."""
        with self._database.read() as session:
            round_ = _present_round(session, stage_id)
            reader = Claimant(session.get_one(Account, account_id), round_, now())
            query = select(Comparison).where(
                seat_queries.own(reader.rules),
                Comparison.decided_at.is_not(None),
                Comparison.case_id.not_in(_set_aside(round_)),
            )
            query = query.order_by(Comparison.decided_at.desc(), Comparison.id.desc())
            seats = session.scalars(query.options(selectinload(Comparison.verdicts)), reader.parameters)
            return [Decided(seat.token or "", seat.verdicts[-1].kind) for seat in seats]

    def _view(self, session: Session, reader: Claimant, seat: Comparison) -> ReadingView:
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
            feedback=self._feedback(session, seat),
        )

    def _feedback(self, session: Session, seat: Comparison) -> Feedback | None:
        if seat.kind is not SeatKind.PRACTICE or not seat.verdicts:
            return None
        masks = _masks_by_slot(session, seat)
        right_slot = next(slot for slot, mask in enumerate(masks) if is_right(mask))
        said = seat.verdicts[-1].mask
        if said is None:
            return Feedback(right_slot, None)
        height, width = seat.case.height_px, seat.case.width_px
        grid = grid_shape(height, width)
        shown = [unpack(self._display.bits(_source(mask, height, width)), *grid) for mask in (said, masks[right_slot])]
        return Feedback(right_slot, dice(*shown))

    def _store_mask(self, kind: VerdictKind, drawing: bytes | None, height: int, width: int) -> str | None:
        """Keep the pixels before any row names them, so that no writer waits for the disk."""
        if drawing is not None:
            return self._store.put_mask(unpack(drawing, height, width))
        if kind is VerdictKind.NO_INFECTION:
            return self._store.put_mask(np.zeros((height, width), np.bool_))
        return None


def _present_round(session: Session, stage_id: int) -> Round:
    """The stage's round that readers are at work in, or StateError."""
    stage = session.get(Stage, stage_id, options=[joinedload(Stage.campaign), joinedload(Stage.rounds)])
    if stage is None or not stage.rounds:
        msg = "This stage has not been opened."
        raise StateError(msg, hint="Ask the coordinator.")
    round_ = stage.rounds[-1]
    is_drawn = round_.state is RoundState.DRAWING
    if is_drawn and session.scalar(select(Comparison.id).where(Comparison.round_id == round_.id).limit(1)) is None:
        is_drawn = False  # its drawings came from elsewhere
    _refuse_unless(round_, RoundState.DRAWING if is_drawn else RoundState.READING)
    return round_


def require_open(session: Session, seat: Comparison, *, lock: bool = False) -> None:
    """Refuse what is not drawn or read any more.

    With `lock`, what was found true stays true until the transaction ends: nobody locks the stage meanwhile.

    Raises
    ------
    StateError
        If the stage, the round or the film has gone on without this seat.
    """
    if lock:
        # Locking a stage and training it again both change the round's row; sharing a second row would invite deadlock.
        session.get_one(Round, seat.round_id, with_for_update={"read": True}, populate_existing=True)
    _refuse_unless(seat.round, RoundState.DRAWING if seat.kind.is_drawn else RoundState.READING)
    refuse_who_left(session, seat.round.stage, seat.account_id)
    if session.scalar(_set_aside(seat.round).where(CampaignCase.case_id == seat.case_id)) is not None:
        msg = "This film was taken away from the study."
        raise StateError(msg, hint="Go on with the next case.")


def _set_aside(round_: Round) -> Select[int]:
    """The cases that left the campaign of a round."""
    return select(CampaignCase.case_id).where(
        CampaignCase.campaign_id == round_.stage.campaign_id, CampaignCase.arm == Arm.SET_ASIDE
    )


def _take_away(session: Session, seat: Comparison) -> None:
    """Take a film that shows who the patient is away from everybody, at once."""
    member = session.get_one(CampaignCase, (seat.round.stage.campaign_id, seat.case_id))
    member.arm, member.stage_id, member.reason = Arm.SET_ASIDE, None, "shows an identifier"
    others = select(Comparison.id).where(
        Comparison.round_id == seat.round_id, Comparison.case_id == seat.case_id, Comparison.decided_at.is_(None)
    )
    session.flush()
    session.execute(delete(Draft).where(Draft.comparison_id.in_(others)))
    session.execute(delete(Comparison).where(Comparison.id.in_(others)))


def _refuse_unless(round_: Round, due: RoundState) -> None:
    stage = round_.stage
    if stage.state is not StageState.OPEN:
        msg = f"Stage {stage.address} is {stage.state}: its verdicts stand."
        raise StateError(msg, hint="What you decided is kept. Go back to the start page.")
    if round_.state is due:
        return
    if due is RoundState.DRAWING:
        msg = f"Stage {stage.address} takes no drawings any more: round {round_.number} is {round_.state}."
        raise StateError(msg, hint="What you drew is kept. Go back to the start page.")
    msg = f"Stage {stage.address} has nothing to read now: round {round_.number} is {round_.state}."
    raise StateError(msg, hint="Come back when its networks are trained.")


def own_seat(session: Session, account_id: int, token: str, *, lock: bool = False) -> Comparison:
    """The reader's seat that a token names, or NotFoundError."""
    query = select(Comparison).where(Comparison.token == token, Comparison.account_id == account_id)
    seat = session.scalar(query.with_for_update() if lock else query)
    if seat is None:
        msg = "This comparison is not yours, or not any more."
        raise NotFoundError(msg, hint="Its lease may have run out while you were away; go on with the next case.")
    return seat


def _answer_to(seat: Comparison, idempotency_key: str) -> Verdict | None:
    return next((verdict for verdict in seat.verdicts if verdict.idempotency_key == idempotency_key), None)


def _check_key(idempotency_key: str) -> None:
    if not 0 < len(idempotency_key) <= MAX_KEY_CHARACTERS:
        msg = f"The idempotency key has {len(idempotency_key)} characters."
        raise InputError(msg, hint=f"Send 1 to {MAX_KEY_CHARACTERS}, a UUID for example, new for every submission.")


def _check_start(seat: Comparison, decision: Decision) -> None:
    if decision.started_from is not None and not seat.round.stage.definition.study.redraw_from_candidate:
        stage = seat.round.stage.address
        msg = f"The redraw started from slot {decision.started_from}; in stage {stage} redraws start blank."
        raise InputError(msg, hint="Reload the page and draw on a blank film.")


def _verdict(session: Session, seat: Comparison, decision: Decision, idempotency_key: str) -> Verdict:
    return Verdict(
        revision=len(seat.verdicts) + 1,
        account=session.get_one(Account, seat.account_id),
        kind=decision.kind,
        slot=decision.slot,
        also_acceptable=sorted(decision.also_acceptable),
        reason=decision.reason,
        confidence=decision.confidence,
        visible_ms=decision.visible_ms,
        started_from=decision.started_from,
        idempotency_key=idempotency_key,
        protocol_digest=seat.round.stage.protocol_digest,
    )


def _chosen_mask(session: Session, seat: Comparison, decision: Decision, digest: str | None) -> MaskRow | None:
    """What counts: the candidate that was picked, or a new row for what the reader drew or found empty."""
    slot = decision.slot if decision.kind in SLOTTED else decision.started_from
    basis = None if slot is None else _masks_by_slot(session, seat)[slot]
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


def _masks_by_slot(session: Session, seat: Comparison) -> list[MaskRow]:
    query = select(Candidate).where(Candidate.round_id == seat.round_id, Candidate.case_id == seat.case_id)
    found = session.scalars(query.options(joinedload(Candidate.mask)))
    by_position = {candidate.position: candidate.mask for candidate in found}
    return [by_position[position] for position in seat.order or []]


def _source(mask: MaskRow, height: int, width: int) -> MaskSource:
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
