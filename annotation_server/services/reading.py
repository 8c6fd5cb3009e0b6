"""What a reader does: take the next comparison, look at it, decide, go back.

Nothing that leaves here names a case, a patient, a row, or who made a candidate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from annotation_server.services import seat_queries
from annotation_server.services.admission import own_seat, present_round, require_open, set_aside
from annotation_server.services.claiming import Claimant, Tally, claim, find_held
from annotation_server.services.deciding import answer_to, check_key, check_start, take_away, write_verdict
from annotation_server.services.display import Display, MaskSource
from annotation_server.services.repeating import plan_repeat
from annotation_server.services.serial import SerialFilm, find_film, list_films
from annotation_server.services.showing import Feedback, ReadingView, give_feedback, mask_source, masks_by_slot, show
from db.domain.errors import NotFoundError
from db.domain.mask import unpack
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.models import Account, Comparison, Draft, Round, now
from db.record import Record
from db.repository.checks import seat_for_checks


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
        self._tally = Tally()

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
            round_ = present_round(session, stage_id)
            reader = self._enter(session, account, round_)
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
            return show(session, self._display, reader, seat)

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
            reader = self._enter(session, account, present.round)
            held = find_held(session, reader, postponed=False, beside=present.id)
            seat = held or claim(session, reader)
            if seat is None:
                return None
            seat.leased_until = reader.leased_until
        with self._database.read() as session:
            return show(session, self._display, reader, seat)

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
            reader = self._enter(session, session.get_one(Account, account_id), seat.round)
            return show(session, self._display, reader, seat)

    def feedback(self, account_id: int, token: str) -> Feedback | None:
        """What a practice case teaches once it is decided; None for any other.

        Raises
        ------
        NotFoundError
            If the token names none of the reader's comparisons.
        """
        with self._database.read() as session:
            return give_feedback(session, self._display, own_seat(session, account_id, token))

    def film(self, account_id: int, token: str) -> bytes:
        """The film as an 8-bit grey PNG, its long side at most 2048 pixels."""
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            digest = seat.case.film_digest
        return self._display.film(digest)

    def serial_films(self, account_id: int, token: str) -> list[SerialFilm]:
        """The patient's films, for a reader who asks; that it was asked stands in the verdicts from then on.

        Raises
        ------
        NotAllowedError
            If the stage hides them.
        NotFoundError
            If the token names none of the reader's comparisons.
        StateError
            If the stage is not being read any more.
        """
        with self._database.write() as session:
            seat = own_seat(session, account_id, token, lock=True)
            require_open(session, seat)
            films = list_films(session, seat)
            seat.serial_seen_at = seat.serial_seen_at or now()
            return films

    def serial_film(self, account_id: int, token: str, name: str) -> bytes:
        """One of `serial_films`, as `film` gives it."""
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            digest = find_film(session, seat, name)
        return self._display.film(digest)

    def bundle(self, account_id: int, token: str) -> bytes:
        """All candidates in slot order, each as packed bits of its canonical grid mask."""
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            height, width = seat.case.height_px, seat.case.width_px
            sources = [mask_source(mask, height, width) for mask in masks_by_slot(session, seat)]
        return b"".join(map(self._display.bits, sources))

    def lungs(self, account_id: int, token: str) -> bytes:
        """The lung mask that came with the film, as packed bits of its canonical grid mask.

        Raises
        ------
        NotFoundError
            If the film has none, or the token names none of the reader's comparisons.
        StateError
            If the stage is not being read any more.
        """
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            digest, height, width = seat.case.lung_digest, seat.case.height_px, seat.case.width_px
        if digest is None:
            msg = "This film has no lung mask."
            raise NotFoundError(msg, hint="Read it without the outline.")
        return self._display.bits(MaskSource(digest, is_map=False, height=height, width=width))

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
        check_key(idempotency_key)
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            if earlier := answer_to(seat, idempotency_key):
                return earlier.revision
            require_open(session, seat)
            decision.check(len(seat.order or []), has_drawing=drawing is not None)
            check_start(seat, decision)
            height, width = seat.case.height_px, seat.case.width_px
        digest = self._store_mask(decision.kind, drawing, height, width)
        with self._database.write() as session:
            seat = own_seat(session, account_id, token, lock=True)
            if earlier := answer_to(seat, idempotency_key):
                return earlier.revision
            require_open(session, seat, lock=True)
            verdict = write_verdict(session, seat, decision, idempotency_key=idempotency_key, digest=digest)
            session.execute(delete(Draft).where(Draft.comparison_id == seat.id))
            if seat.decided_at is None:
                seat.decided_at, seat.leased_until = now(), None
                plan_repeat(session, seat, verdict.account, decision.kind)
            if decision.reason is UnreadableReason.IDENTIFIER_VISIBLE:
                take_away(session, seat)
            return verdict.revision

    def history(self, account_id: int, stage_id: int) -> Sequence[Decided]:
        """The reader's decided comparisons in the round being drawn or read, newest first."""
        with self._database.read() as session:
            round_ = present_round(session, stage_id)
            reader = Claimant(session.get_one(Account, account_id), round_, now())
            query = select(Comparison).where(
                seat_queries.own(reader.rules),
                Comparison.decided_at.is_not(None),
                Comparison.case_id.not_in(set_aside(round_)),
            )
            query = query.order_by(Comparison.decided_at.desc(), Comparison.id.desc())
            seats = session.scalars(query.options(selectinload(Comparison.verdicts)), reader.parameters)
            return [Decided(seat.token or "", seat.verdicts[-1].kind) for seat in seats]

    def _enter(self, session: Session, account: Account, round_: Round) -> Claimant:
        return Claimant.enter(session, account, round_, now() + self._lease, self._tally)

    def _store_mask(self, kind: VerdictKind, drawing: bytes | None, height: int, width: int) -> str | None:
        """Keep the pixels before any row names them, so that no writer waits for the disk."""
        if drawing is not None:
            return self._store.put_mask(unpack(drawing, height, width))
        if kind is VerdictKind.NO_INFECTION:
            return self._store.put_mask(np.zeros((height, width), np.bool_))
        return None
