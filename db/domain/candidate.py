"""Candidates, and the order in which a reader sees them."""

import numpy as np

EQUAL_DICE = 0.98
"""Candidates at least this alike share the credit of a pick: nobody could tell them apart."""


def williams_square(n: int) -> list[list[int]]:
    """Rows of slot orders in which each candidate takes each place, and follows each other one, equally often.

    n rows for an even n, 2n for an odd one. Source: Williams (1949).
    """
    zigzag = [(i // 2 if i % 2 == 0 else n - (i + 1) // 2) for i in range(n)]
    rows = [[(start + step) % n for step in zigzag] for start in range(n)]
    return rows if n % 2 == 0 else rows + [row[::-1] for row in rows]


def slot_order(n_candidates: int, *, seed: int, reader: str, position: int) -> list[int]:
    """Which candidate stands in each slot for the `position`-th comparison that `reader` opens.

    Every block of comparisons as long as the Williams square uses each of its rows once, in an order and under a
    relabelling drawn from `seed` and the reader, so that slots are balanced but not predictable.
    """
    square = williams_square(n_candidates)
    block, row = divmod(position, len(square))
    rng = np.random.default_rng([seed, block, *reader.encode()])
    relabel = rng.permutation(n_candidates)
    rows = rng.permutation(len(square))
    return [int(relabel[i]) for i in square[rows[row]]]
