"""Drawings that are on their way: kept after every stroke, handed back to whichever browser goes on with them.

Their pixels travel and rest as zlib of `db.domain.mask.pack` at the film's size.
"""

import secrets
import zlib
from dataclasses import dataclass

from annotation_server.services.admission import own_seat, require_open
from db.domain.errors import InputError, StateError
from db.domain.mask import pack, packed_length
from db.domain.verdict import BY_HAND
from db.models import Comparison, Draft, now
from db.record import Record

FAST_DEFLATE = 1
REVISION_BYTES = 3


class StaleDraftError(StateError):
    """The draft has gone on elsewhere since the one that was sent was made."""

    code = "stale"


@dataclass(frozen=True)
class Drawing:
    """A reader's own drawing.

    Attributes
    ----------
    slot
        The candidate that is touched up; None for a drawing of one's own.
    bits
        zlib of the packed mask.
    started_from
        The slot whose mask a redraw began with; None if it began blank.
    """

    slot: int | None
    bits: bytes
    started_from: int | None = None


@dataclass(frozen=True)
class KeptDraft:
    """A draft as the record has it, saved `age_s` seconds ago."""

    revision: int
    drawing: Drawing
    age_s: int


class DraftingService:
    """Keeps the drafts of readers' comparisons."""

    def __init__(self, record: Record) -> None:
        self._database, self._store = record.database, record.store

    def draft(self, account_id: int, token: str) -> KeptDraft | None:
        """The draft of one of the reader's own comparisons.

        Raises
        ------
        NotFoundError
            If the token names none of the reader's comparisons.
        StateError
            If its stage is not being drawn or read any more.
        """
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            row = session.get(Draft, seat.id)
            if row is None:
                return None
            age_s = max(0, round((now() - row.saved_at).total_seconds()))
            return KeptDraft(row.revision, Drawing(row.slot, row.bits, row.started_from), age_s)

    def keep(self, account_id: int, token: str, drawing: Drawing, *, made_from: int | None) -> int:
        """Store a draft in place of the one with the revision `made_from` (None: of none); its own revision.

        Sent again after a lost answer it changes nothing. A first revision is a random number, so that a draft which
        was begun anew is not taken for an earlier one.

        Raises
        ------
        InputError
            If the drawing has another size, or names a slot that is not there.
        StaleDraftError
            If the draft that is kept has another revision: nothing is stored.
        NotFoundError, StateError
            As for `draft`.
        """
        with self._database.read() as session:
            _check(own_seat(session, account_id, token), drawing)
        with self._database.write() as session:
            seat = own_seat(session, account_id, token, lock=True)
            require_open(session, seat)
            row = session.get(Draft, seat.id)
            if row is None:
                row = Draft(comparison_id=seat.id, revision=_first_revision())
                session.add(row)
            elif Drawing(row.slot, row.bits, row.started_from) == drawing:
                return row.revision
            else:
                _refuse_stale(row, made_from)
                row.revision += 1
            row.slot, row.bits, row.started_from = drawing.slot, drawing.bits, drawing.started_from
            return row.revision

    def discard(self, account_id: int, token: str, *, revision: int) -> None:
        """Forget a draft; nothing happens where there is none.

        Raises
        ------
        StaleDraftError
            If the draft that is kept has another revision.
        NotFoundError, StateError
            As for `draft`.
        """
        with self._database.write() as session:
            seat = own_seat(session, account_id, token, lock=True)
            require_open(session, seat)
            row = session.get(Draft, seat.id)
            if row is not None:
                _refuse_stale(row, revision)
                session.delete(row)

    def own_drawing(self, account_id: int, token: str) -> Drawing | None:
        """What the reader drew for the verdict that counts now, as it was sent; None if that was no drawing.

        Raises
        ------
        NotFoundError, StateError
            As for `draft`.
        """
        with self._database.read() as session:
            seat = own_seat(session, account_id, token)
            require_open(session, seat)
            verdict = seat.verdicts[-1] if seat.verdicts else None
            if verdict is None or verdict.kind not in BY_HAND or verdict.mask is None or verdict.mask.digest is None:
                return None
            digest, slot, started_from = verdict.mask.digest, verdict.slot, verdict.started_from
        return Drawing(slot, zlib.compress(pack(self._store.get_mask(digest)), FAST_DEFLATE), started_from)


def _first_revision() -> int:
    return int(secrets.token_hex(REVISION_BYTES), 16)


def _refuse_stale(row: Draft, revision: int | None) -> None:
    if row.revision != revision:
        msg = f"The draft was changed elsewhere: it has revision {row.revision}, this one was made from {revision}."
        raise StaleDraftError(msg, hint="Choose which of the two to keep.")


def _check(seat: Comparison, drawing: Drawing) -> None:
    n_candidates = len(seat.order or [])
    for slot in (drawing.slot, drawing.started_from):
        if slot is not None and not 0 <= slot < n_candidates:
            msg = f"Slot {slot} was named; the comparison has {n_candidates} candidates."
            raise InputError(msg, hint="Reload the case.")
    height, width = seat.case.height_px, seat.case.width_px
    _check_bits(drawing.bits, packed_length(height, width), f"{width}x{height}")


def _check_bits(bits: bytes, n_bytes: int, size: str) -> None:
    """Nothing is inflated beyond the length of the mask."""
    inflater = zlib.decompressobj()
    try:
        n_inflated = len(inflater.decompress(bits, n_bytes + 1))
    except zlib.error:
        msg = "The draft is not a zlib stream."
        raise InputError(msg, hint="Send zlib of the packed mask.") from None
    if n_inflated != n_bytes or not inflater.eof or inflater.unused_data:
        received = "more" if n_inflated > n_bytes else n_inflated
        msg = f"A {size} mask takes {n_bytes} bytes in one zlib stream, {received} were received."
        raise InputError(msg, hint="Send one bit a pixel, row by row, at the film's size.")
