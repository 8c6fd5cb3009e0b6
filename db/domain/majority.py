"""What several readers of one case come to."""

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def find_majority(choices: Sequence[T], alike: Callable[[T, T], bool]) -> T | None:
    """The choice that more than half of the readers share, as its first reader made it; None where there is none.

    Being alike need not be transitive (masks at a Dice of 0.98), so that choices are counted around each one in turn;
    the one with most around it is taken, the earliest of equals.
    """
    best, most = None, len(choices) / 2
    for choice in choices:
        n_alike = sum(choice is other or alike(choice, other) for other in choices)
        if n_alike > most:
            best, most = choice, n_alike
    return best
