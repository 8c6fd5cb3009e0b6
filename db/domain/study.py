"""The study behind a stage: what its seats are for, and the rules by which readers get them."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from db.domain.errors import InputError


class SeatKind(StrEnum):
    """What a seat before a case is for. Its reader cannot tell repeats, checks and plain readings apart."""

    READING = "reading"
    """The round's candidates."""

    REPEAT = "repeat"
    """The same case again, before the same reader, after the washout: agreement with oneself."""

    CHECK = "check"
    """One right mask among flawed ones: whether a reader is careful. Outside all preferences."""

    PAIR = "pair"
    """The drawing against one machine: chance is exactly one half."""

    ADJUDICATION = "adjudication"
    """The round's candidates again, before a reader who sees neither votes nor names."""

    PRACTICE = "practice"
    """One right mask among flawed ones, with feedback, before the first real case."""

    DRAWING = "drawing"
    """No candidates: the film is drawn (stage I)."""

    SENTINEL = "sentinel"
    """No candidates: the film is drawn before any exists, and its mask is never trained on."""

    @property
    def is_drawn(self) -> bool:
        """Whether there is nothing to choose from."""
        return self in DRAWN


DRAWN = frozenset({SeatKind.DRAWING, SeatKind.SENTINEL})
"""Seats of a round that is being drawn; all others are of a round that is being read."""

JUDGED = frozenset(SeatKind) - DRAWN
"""Seats of a round that is being read."""

OWED = frozenset({SeatKind.READING, SeatKind.REPEAT, SeatKind.PAIR, SeatKind.ADJUDICATION})
"""Seats that a round which is read still owes as long as nobody decided them."""

SHARED = frozenset({SeatKind.READING, SeatKind.PAIR, SeatKind.ADJUDICATION}) | DRAWN
"""Seats that any reader of the stage may take; the others are made for one reader."""

SEATS_A_KIND = 1_000_000

_KINDS = list(SeatKind)


MAX_RANK = 2**31
"""Ranks are below it."""


def seat_rank(round_id: int, case_id: int, kind: SeatKind) -> int:
    """A random place for a seat among its round's, 0 to `MAX_RANK`; the same for equal seats."""
    return keyed_integer(f"{round_id}/{case_id}/{kind}") % MAX_RANK


def keyed_integer(key: str) -> int:
    """64 random bits that follow from a text."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])


def seat_number(kind: SeatKind, n: int) -> int:
    """The number of the `n`-th seat of a kind before a case: no two kinds share one, so that nobody has to count."""
    return _KINDS.index(kind) * SEATS_A_KIND + n


def first_position(kind: SeatKind, n_candidates: int) -> int:
    """Where the candidates of a seat begin among the case's positions: flawed ones stand beyond the round's own."""
    return {SeatKind.PRACTICE: 1, SeatKind.CHECK: 2}.get(kind, 0) * n_candidates


class OwnDrawing(StrEnum):
    """Whether a reader judges comparisons that hold the reader's own drawing."""

    NEVER = "never"
    ALLOWED = "allowed"
    ONLY = "only"


class SerialFilms(StrEnum):
    """Whether a reader may ask for the patient's other films, and see when they were taken."""

    HIDDEN = "hidden"
    WITHOUT_DATES = "without_dates"
    WITH_DATES = "with_dates"


@dataclass(frozen=True)
class StudyDesign:
    """How a stage is read. Part of the protocol: fixed and hashed before the stage opens.

    Attributes
    ----------
    repeat_share
        Share of each reader's cases that come again, `repeat_washout_days` after they were decided.
    n_check_cases, n_practice_cases
        For each reader.
    own_drawing, own_washout_days
        Whether a reader's own drawing may be among the candidates, and how long ago it must have been drawn: 14 days
        or more where memory is to be kept out.
    sentinel_share
        Share of the stage's components (patients or near-duplicates) that a second reader draws before any candidate
        exists.
    pair_share
        Share of the cases that are shown as two panes besides.
    redraw_from_candidate
        Whether a redraw may start from a candidate instead of blank; the neutral number is logged.
    with_confidence
        Whether readers are asked how sure they are, from 1 to 5.
    """

    repeat_share: float = 0.0
    repeat_washout_days: float = 7.0
    n_check_cases: int = 0
    n_practice_cases: int = 0
    own_drawing: OwnDrawing = OwnDrawing.ALLOWED
    own_washout_days: float = 0.0
    sentinel_share: float = 0.0
    pair_share: float = 0.0
    serial_films: SerialFilms = SerialFilms.HIDDEN
    redraw_from_candidate: bool = False
    with_confidence: bool = False

    def __post_init__(self) -> None:
        for name in ("repeat_share", "sentinel_share", "pair_share"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"{name} is {getattr(self, name)}."
                raise InputError(msg, hint="It is a share, from 0 to 1.")
        for name in ("repeat_washout_days", "own_washout_days", "n_check_cases", "n_practice_cases"):
            if getattr(self, name) < 0:
                msg = f"{name} is {getattr(self, name)}."
                raise InputError(msg, hint="It cannot be negative.")
