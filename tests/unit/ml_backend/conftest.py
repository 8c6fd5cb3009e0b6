"""A small data set whose infected regions are brighter, so that a network of a few thousand weights can learn it."""

import numpy as np
import pytest

from ml_backend.data import PackedSet

SIDE_PX = 32
N_CASES = 12


@pytest.fixture
def packed() -> PackedSet:
    """Twelve films of 32x32 pixels; every third has no infection."""
    rng = np.random.default_rng(5)
    films = rng.integers(60, 120, (N_CASES, SIDE_PX, SIDE_PX)).astype(np.uint8)
    masks = np.zeros(films.shape, np.bool_)
    for i in range(N_CASES):
        if i % 3:
            top, left = rng.integers(2, 16, 2)
            masks[i, top : top + 12, left : left + 12] = True
    films[masks] += 80
    return PackedSet(tuple(f"c{i:02}" for i in range(N_CASES)), films, masks)
