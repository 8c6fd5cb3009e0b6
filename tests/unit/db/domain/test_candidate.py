"""The order of candidates before a reader."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from db.domain.candidate import slot_order, williams_square


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_in_a_williams_square_each_candidate_takes_each_place_equally_often(n):
    square = williams_square(n)
    for place in range(n):
        assert set(Counter(row[place] for row in square).values()) == {len(square) // n}


@pytest.mark.parametrize("n", [3, 4, 5])
def test_in_a_williams_square_each_candidate_follows_each_other_equally_often(n):
    square = williams_square(n)
    pairs = Counter((a, b) for row in square for a, b in pairwise(row))
    assert len(pairs) == n * (n - 1)
    assert len(set(pairs.values())) == 1


def test_every_block_of_a_reader_is_balanced():
    orders = [slot_order(5, seed=4, reader="r1", position=i) for i in range(10)]
    for slot in range(5):
        assert Counter(order[slot] for order in orders) == dict.fromkeys(range(5), 2)


def test_orders_differ_between_readers_and_blocks_but_not_between_calls():
    first = [slot_order(4, seed=4, reader="r1", position=i) for i in range(8)]
    assert first == [slot_order(4, seed=4, reader="r1", position=i) for i in range(8)]
    assert first[:4] != first[4:]
    assert first != [slot_order(4, seed=4, reader="r2", position=i) for i in range(8)]


def test_over_10_000_comparisons_no_slot_says_who_made_its_candidate():
    """Chi-square of origin by slot, 9 degrees of freedom; positions are drawn as `ml_backend.proposing` draws them."""
    positions = np.random.default_rng(0)
    counts = np.zeros((4, 4))
    for reader in range(20):
        for number in range(500):
            origin_at = positions.permutation(4)
            for slot, position in enumerate(slot_order(4, seed=1, reader=f"r{reader}", position=number)):
                counts[origin_at[position], slot] += 1
    assert counts.sum() == 40_000
    assert chi2_contingency(counts).pvalue > 1e-4
