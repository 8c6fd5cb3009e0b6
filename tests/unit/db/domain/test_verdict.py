"""Which verdicts contradict themselves."""

import pytest

from db.domain.errors import InputError
from db.domain.verdict import Decision, UnreadableReason, VerdictKind

PICK, TOUCH_UP, DENY, NONE, UNREADABLE, DRAWN = VerdictKind


@pytest.mark.parametrize(
    ("decision", "has_drawing"),
    [
        (Decision(PICK, slot=0), False),
        (Decision(PICK, slot=3, also_acceptable=frozenset({0, 2}), confidence=5), False),
        (Decision(TOUCH_UP, slot=1), True),
        (Decision(DENY), True),
        (Decision(NONE), False),
        (Decision(UNREADABLE, reason=UnreadableReason.QUALITY), False),
    ],
)
def test_sound_verdicts_pass(decision, has_drawing):
    decision.check(4, has_drawing=has_drawing)


@pytest.mark.parametrize(
    ("decision", "has_drawing", "message"),
    [
        (Decision(PICK), False, "slot"),
        (Decision(PICK, slot=4), False, "slots 0 to 3"),
        (Decision(PICK, slot=-1), False, "slots 0 to 3"),
        (Decision(PICK, slot=0), True, "drawing"),
        (Decision(PICK, slot=0, also_acceptable=frozenset({0})), False, "also"),
        (Decision(TOUCH_UP, slot=0), False, "drawing"),
        (Decision(DENY), False, "drawing"),
        (Decision(DENY, slot=1), True, "slot"),
        (Decision(NONE, also_acceptable=frozenset({1})), False, "also acceptable"),
        (Decision(UNREADABLE), False, "reason"),
        (Decision(NONE, reason=UnreadableReason.OTHER), False, "reason"),
        (Decision(PICK, slot=0, confidence=6), False, "1 to 5"),
        (Decision(DRAWN), True, "4 candidates"),
    ],
)
def test_verdicts_that_contradict_themselves_are_refused(decision, has_drawing, message):
    with pytest.raises(InputError, match=message):
        decision.check(4, has_drawing=has_drawing)


def test_a_film_without_candidates_is_drawn_or_has_nothing_to_draw():
    for decision, has_drawing in ((Decision(DRAWN), True), (Decision(NONE), False)):
        decision.check(0, has_drawing=has_drawing)
    for wrong, has_drawing in ((Decision(DENY), True), (Decision(DRAWN), False), (Decision(PICK, slot=0), False)):
        with pytest.raises(InputError):
            wrong.check(0, has_drawing=has_drawing)
