"""What a reader does: take the next comparison, look at it, decide, go back.

Nothing that leaves here names a case, a patient, a row, or who made a candidate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from annotation_server.services.claiming import Claimant, claim, count_free, count_own, find_held
from annotation_server.services.display import Display, MaskSource
from db.domain.campaign import Arm, RoundState, StageState
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.mask import grid_shape, unpack
from db.domain.provenance import MaskOrigin
from db.domain.verdict import SLOTTED, Decision, UnreadableReason, VerdictKind
from db.models import Account, CampaignCase, Candidate, Comparison, MaskRow, Round, Stage, Verdict, now
from db.record import Record

MAX_KEY_CHARACTERS = 128

_ORIGIN_OF = {
    VerdictKind.TOUCH_UP: MaskOrigin.TOUCH_UP,
    VerdictKind.DENY_ALL: MaskOrigin.REDRAW,
    VerdictKind.NO_INFECTION: MaskOrigin.EMPTY,
}
"""Verdicts that make a mask."""


@dataclass(frozen=True)
class ReadingView:
    """A comparison as its reader may know it; `verdict` is the reader's own that counts now."""

    token: str
    width_px: int
    height_px: int
    grid_width_px: int
    grid_height_px: int
    n_candidates: int
    n_decided: int
    n_left: int
    verdict: Decision | None


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
        StateError
            If the stage is not being read.
        """
        with self._database.write() as session:
            # The lock makes a reader with two windows claim one seat after the other.
            account = session.get_one(Account, account_id, with_for_update={"key_share": True})
            reader = Claimant(account, _round_being_read(session, stage_id), now() + self._lease)
            seat = (
                find_held(session, reader, postponed=False)
                or claim(session, reader)
                or find_held(session, reader, postponed=True)
            )
            if seat is None:
                return None
            seat.leased_until, seat.postponed_at = reader.leased_until, None
        with self._database.read() as session:  # counting takes long, and needs no lock
            return _view(session, reader, seat)

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
            seat = _own_seat(session, account_id, token)
            _require_reading(session, seat)
            reader = Claimant(session.get_one(Account, account_id), seat.round, now())
            return _view(session, reader, seat)

    def film(self, account_id: int, token: str) -> bytes:
        """The film as an 8-bit grey PNG, its long side at most 2048 pixels."""
        with self._database.read() as session:
            seat = _own_seat(session, account_id, token)
            _require_reading(session, seat)
            digest = seat.case.film_digest
        return self._display.film(digest)

    def bundle(self, account_id: int, token: str) -> bytes:
        """All candidates in slot order, each as packed bits of its canonical grid mask."""
        with self._database.read() as session:
            seat = _own_seat(session, account_id, token)
            _require_reading(session, seat)
            height, width = seat.case.height_px, seat.case.width_px
            sources = [
                MaskSource(mask.map_digest or mask.digest or "", mask.map_digest is not None, height, width)
                for mask in _masks_by_slot(session, seat)
            ]
        return b"".join(map(self._display.bits, sources))

    def renew(self, account_id: int, token: str) -> None:
        """Begin the lease of an undecided comparison anew."""
        with self._database.write() as session:
            seat = _own_seat(session, account_id, token, lock=True)
            _require_reading(session, seat)
            seat.leased_until = now() + self._lease

    def postpone(self, account_id: int, token: str) -> None:
        """Put an undecided comparison behind all others; when its lease runs out another reader may take it."""
        with self._database.write() as session:
            seat = _own_seat(session, account_id, token, lock=True)
            _require_reading(session, seat)
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
            seat = _own_seat(session, account_id, token)
            if earlier := _answer_to(seat, idempotency_key):
                return earlier.revision
            _require_reading(session, seat)
            decision.check(len(seat.order or []), has_drawing=drawing is not None)
            height, width = seat.case.height_px, seat.case.width_px
        digest = self._store_mask(decision.kind, drawing, height, width)
        with self._database.write() as session:
            seat = _own_seat(session, account_id, token, lock=True)
            if earlier := _answer_to(seat, idempotency_key):
                return earlier.revision
            _require_reading(session, seat, lock=True)
            verdict = _verdict(session, seat, decision, idempotency_key)
            verdict.mask = _chosen_mask(session, seat, decision, digest)
            seat.verdicts.append(verdict)
            seat.decided_at = seat.decided_at or now()
            if decision.reason is UnreadableReason.IDENTIFIER_VISIBLE:
                _take_away(session, seat)
            return verdict.revision

    def history(self, account_id: int, stage_id: int) -> Sequence[Decided]:
        """The reader's decided comparisons in the round being read, newest first."""
        with self._database.read() as session:
            round_ = _round_being_read(session, stage_id)
            query = select(Comparison).where(
                Comparison.round_id == round_.id,
                Comparison.account_id == account_id,
                Comparison.decided_at.is_not(None),
                Comparison.case_id.not_in(_set_aside(round_)),
            )
            seats = session.scalars(query.order_by(Comparison.decided_at.desc(), Comparison.id.desc()))
            return [Decided(seat.token or "", seat.verdicts[-1].kind) for seat in seats]

    def _store_mask(self, kind: VerdictKind, drawing: bytes | None, height: int, width: int) -> str | None:
        """Keep the pixels before any row names them, so that no writer waits for the disk."""
        if drawing is not None:
            return self._store.put_mask(unpack(drawing, height, width))
        if kind is VerdictKind.NO_INFECTION:
            return self._store.put_mask(np.zeros((height, width), np.bool_))
        return None


def _round_being_read(session: Session, stage_id: int) -> Round:
    stage = session.get(Stage, stage_id)
    if stage is None or not stage.rounds:
        msg = "This stage has not been opened."
        raise StateError(msg, hint="Ask the coordinator.")
    _refuse_unless_reading(stage.rounds[-1])
    return stage.rounds[-1]


def _require_reading(session: Session, seat: Comparison, *, lock: bool = False) -> None:
    """With `lock`, what was found true stays true until the transaction ends: nobody locks the stage meanwhile."""
    if lock:
        # Locking a stage and training it again both change the round's row; sharing a second row would invite deadlock.
        session.get_one(Round, seat.round_id, with_for_update={"read": True}, populate_existing=True)
    _refuse_unless_reading(seat.round)
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
    others = delete(Comparison).where(
        Comparison.round_id == seat.round_id, Comparison.case_id == seat.case_id, Comparison.decided_at.is_(None)
    )
    session.flush()
    session.execute(others)


def _refuse_unless_reading(round_: Round) -> None:
    if round_.stage.state is not StageState.OPEN:
        msg = f"Stage {round_.stage.address} is {round_.stage.state}: its verdicts stand."
        raise StateError(msg, hint="What you decided is kept. Go back to the start page.")
    if round_.state is not RoundState.READING:
        msg = f"Stage {round_.stage.address} has nothing to read now: round {round_.number} is {round_.state}."
        raise StateError(msg, hint="Come back when its networks are trained.")


def _own_seat(session: Session, account_id: int, token: str, *, lock: bool = False) -> Comparison:
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
        idempotency_key=idempotency_key,
        protocol_digest=seat.round.stage.protocol_digest,
    )


def _chosen_mask(session: Session, seat: Comparison, decision: Decision, digest: str | None) -> MaskRow | None:
    """What counts: the candidate that was picked, or a new row for what the reader drew or found empty."""
    picked = None
    if decision.kind in SLOTTED and decision.slot is not None:
        picked = _masks_by_slot(session, seat)[decision.slot]
    if decision.kind not in _ORIGIN_OF:
        return picked
    account = session.get_one(Account, seat.account_id)
    return MaskRow(
        campaign_id=seat.round.stage.campaign_id,
        case_id=seat.case_id,
        origin=_ORIGIN_OF[decision.kind],
        digest=digest,
        account_id=account.id,
        parent_id=picked.id if picked else None,
        simulated=account.simulated,
    )


def _masks_by_slot(session: Session, seat: Comparison) -> list[MaskRow]:
    query = select(Candidate).where(Candidate.round_id == seat.round_id, Candidate.case_id == seat.case_id)
    by_position = {candidate.position: candidate.mask for candidate in session.scalars(query)}
    return [by_position[position] for position in seat.order or []]


def _view(session: Session, reader: Claimant, seat: Comparison) -> ReadingView:
    height, width = seat.case.height_px, seat.case.width_px
    grid_height, grid_width = grid_shape(height, width)
    n_own, n_decided = count_own(session, reader)
    return ReadingView(
        token=seat.token or "",
        width_px=width,
        height_px=height,
        grid_width_px=grid_width,
        grid_height_px=grid_height,
        n_candidates=len(seat.order or []),
        n_decided=n_decided,
        n_left=n_own - n_decided + count_free(session, reader),
        verdict=_decision(seat.verdicts[-1]) if seat.verdicts else None,
    )


def _decision(verdict: Verdict) -> Decision:
    return Decision(
        kind=verdict.kind,
        slot=verdict.slot,
        also_acceptable=frozenset(verdict.also_acceptable),
        reason=verdict.reason,
        confidence=verdict.confidence,
        visible_ms=verdict.visible_ms,
    )
