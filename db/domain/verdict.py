"""What a reader may say of a comparison."""

from dataclasses import dataclass
from enum import StrEnum

from db.domain.errors import InputError


class VerdictKind(StrEnum):
    """The verdicts; their meaning is settled in `docs/glossary.md`."""

    PICK = "pick"
    TOUCH_UP = "touch_up"
    DENY_ALL = "deny_all"
    NO_INFECTION = "no_infection"
    UNREADABLE = "unreadable"
    DRAWN = "drawn"


class UnreadableReason(StrEnum):
    """Why a film leaves the stage."""

    QUALITY = "quality"
    NOT_FRONTAL = "not_frontal"
    IDENTIFIER_VISIBLE = "identifier_visible"
    OTHER = "other"


BY_HAND = frozenset({VerdictKind.TOUCH_UP, VerdictKind.DENY_ALL, VerdictKind.DRAWN})
"""Verdicts that come with a mask by the reader's own hand."""

SLOTTED = frozenset({VerdictKind.PICK, VerdictKind.TOUCH_UP})
"""Verdicts that name a slot."""


@dataclass(frozen=True)
class Decision:
    """One reader's verdict on one comparison, checked against the rules but not yet stored.

    Slots count from 0 in the order that the reader saw. `also_acceptable` never holds the picked slot. A redraw
    either `started_from` the mask in a slot or blank.
    """

    kind: VerdictKind
    slot: int | None = None
    also_acceptable: frozenset[int] = frozenset()
    reason: UnreadableReason | None = None
    confidence: int | None = None
    visible_ms: int = 0
    started_from: int | None = None

    def check(self, n_candidates: int, *, has_drawing: bool) -> None:
        """Raise InputError where the verdict contradicts itself or its comparison of `n_candidates` slots.

        A seat without candidates is for drawing.
        """
        slots = self.also_acceptable | {slot for slot in (self.slot, self.started_from) if slot is not None}
        allowed = set(range(n_candidates))
        _require(
            slots <= allowed,
            f"Slots {sorted(slots)} were named; the comparison has slots 0 to {n_candidates - 1}.",
        )
        _require(
            (self.slot is not None) == (self.kind in SLOTTED),
            f"A slot belongs to {_names(SLOTTED)} and to nothing else.",
        )
        _require(
            self.kind not in ({VerdictKind.DRAWN} if n_candidates else {VerdictKind.DENY_ALL}),
            f"{self.kind} was said of a comparison with {n_candidates} candidates.",
        )
        _require(
            self.started_from is None or self.kind is VerdictKind.DENY_ALL,
            "Only a redraw starts from a candidate.",
        )
        _require(
            self.kind in SLOTTED or not self.also_acceptable,
            "Only a pick or a touch-up has also acceptable slots.",
        )
        _require(
            self.slot not in self.also_acceptable,
            "The picked slot cannot also be marked as also acceptable.",
        )
        _require(
            has_drawing == (self.kind in BY_HAND),
            f"A drawing belongs to {_names(BY_HAND)} and to nothing else.",
        )
        _require(
            (self.reason is not None) == (self.kind is VerdictKind.UNREADABLE),
            "Unreadable needs a reason, others have none.",
        )
        _require(
            self.confidence in {None, 1, 2, 3, 4, 5},
            "Confidence goes from 1 to 5.",
        )


def _require(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as a sentence at each call
    if not holds:
        raise InputError(message, hint="Reload the case and send the verdict again.")


def _names(kinds: frozenset[VerdictKind]) -> str:
    return " and ".join(sorted(kinds))
