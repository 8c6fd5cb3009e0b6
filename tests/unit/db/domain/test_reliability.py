"""Agreement between readers, strengths, and intervals that know of readers and patients."""

from math import isnan

import numpy as np
import pytest

from db.domain.agreement import measure_share, wilson_interval
from db.domain.clustering import crossed_interval
from db.domain.reliability import bradley_terry, fleiss_kappa, nominal_alpha

FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]
"""A worked example of Fleiss' kappa: ten subjects, fourteen raters, five categories; kappa 0.210."""

KRIPPENDORFF = [
    "11_1",
    "2232",
    "3333",
    "3333",
    "2222",
    "1234",
    "4444",
    "1121",
    "2222",
    "_555",
    "__11",
    "__3_",
]
"""Krippendorff (2011), example C, four observers and missing values: nominal alpha 0.743."""


def test_kappa_of_the_worked_example():
    ratings = [[category for category, n in enumerate(row) for _ in range(n)] for row in FLEISS]
    assert fleiss_kappa(ratings) == pytest.approx(0.210, abs=5e-4)


def test_alpha_of_the_published_example_with_missing_values():
    ratings = [[value for value in row if value != "_"] for row in KRIPPENDORFF]
    assert nominal_alpha(ratings) == pytest.approx(0.743, abs=5e-4)


def test_full_agreement_is_1_and_one_category_says_nothing():
    assert fleiss_kappa([["a", "a"], ["b", "b"]]) == nominal_alpha([["a", "a"], ["b", "b"]]) == 1
    assert isnan(fleiss_kappa([["a", "a"]]))
    assert isnan(nominal_alpha([["a"], ["b"]]))


def test_strengths_follow_the_odds_that_made_the_wins():
    true = {"a": 0.5, "b": 0.3, "c": 0.2}
    wins = {(a, b): 1e6 * true[a] / (true[a] + true[b]) for a in true for b in true if a != b}
    assert bradley_terry(wins) == pytest.approx(true, abs=1e-4)
    assert bradley_terry({}) == {}


def test_who_never_won_has_a_strength_too():
    found = bradley_terry({("a", "b"): 10.0})
    assert 0 < found["b"] < 0.1 < found["a"]


def test_a_crossed_bootstrap_is_wider_where_readers_or_patients_resemble_themselves():
    rng = np.random.default_rng(0)
    alike = (rng.random(12) > 0.5).astype(float)
    readers, patients = np.repeat(np.arange(12), 50), np.tile(np.arange(50), 12)

    def width(values):
        low, high = crossed_interval(values.tolist(), readers.tolist(), patients.tolist())
        return high - low

    independent = width((rng.random(600) > 0.5).astype(float))
    assert width(np.repeat(alike, 50)) > 2 * independent
    assert width(np.tile((rng.random(50) > 0.5).astype(float), 12)) > 1.5 * independent


def test_the_interval_covers_where_the_naive_one_does_not():
    """6 readers with habits of their own, 60 patients with films that are easier for machines than others."""
    rng, n_trials = np.random.default_rng(1), 150
    covered, naive = 0, 0
    for _ in range(n_trials):
        habits, films = rng.normal(0, 0.6, 6), rng.normal(0, 0.4, 60)
        chances = 1 / (1 + np.exp(-(habits[:, None] + films[None, :])))
        chosen = rng.random((6, 60)) < chances
        pairs = [(f"r{r}", float(chosen[r, p])) for r in range(6) for p in range(60)]
        share = measure_share(pairs, patients=[f"p{p}" for _ in range(6) for p in range(60)])
        low, high = wilson_interval(share.value, share.n)
        covered += share.low <= 0.5 <= share.high
        naive += low <= 0.5 <= high
    assert covered / n_trials >= 0.92
    assert naive / n_trials <= 0.65
