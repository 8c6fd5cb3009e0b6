"""Which networks complement each other."""

from itertools import combinations
from math import isnan, nan

import numpy as np
import pytest

from db.domain import ensemble
from db.domain.ensemble import OutOfFold, best_subset, dice_matrix, parse_networks
from db.domain.errors import InputError
from db.domain.mask import dice

# `c` is the best alone; `a` and `b` fail on different cases and are the best pair.
DICE = np.array([[0.9, 0.1, 0.5, 0.5], [0.1, 0.9, 0.5, 0.5], [0.6, 0.6, 0.6, 0.6]])


def evidence(matrix=DICE, components="pqrs", folds=(0, 0, 1, 1)):
    networks = "abcdefgh"[: len(matrix)]
    return OutOfFold.of_complete_cases(networks, matrix, np.eye(len(matrix)), components=components, folds=folds)


def random_dice(n_networks=8, n_cases=30):
    return np.random.default_rng(0).random((n_networks, n_cases))


def test_the_mean_is_over_cases():
    assert evidence().mean_dice == pytest.approx({"a": 0.5, "b": 0.5, "c": 0.6})


@pytest.mark.parametrize(
    ("members", "expected"), [("c", 0.6), ("ab", 0.7), ("ac", 0.675), ("abc", 0.75), ("cba", 0.75), ("", nan)]
)
def test_the_expected_best_takes_the_best_member_of_each_case(members, expected):
    assert evidence().expected_best(members) == pytest.approx(expected, nan_ok=True)


def test_networks_that_complement_each_other_beat_the_best_one():
    assert evidence().suggest(1).networks == ("c",)
    found = evidence().suggest(2)
    assert found.networks == ("a", "b")
    assert found.expected_best == pytest.approx(0.7)
    assert found.is_exhaustive


def test_the_left_out_figure_scores_each_fold_with_what_the_others_chose():
    matrix = np.array([[1.0, 1.0, 0.2, 0.2], [0.1, 0.1, 0.6, 0.6]])
    found = evidence(matrix).suggest(1)
    assert (found.networks, found.expected_best) == (("a",), pytest.approx(0.6))
    assert found.left_out == pytest.approx((0.1 + 0.1 + 0.2 + 0.2) / 4)


def test_with_one_fold_nothing_can_be_left_out():
    assert isnan(evidence(folds=(0, 0, 0, 0)).suggest(2).left_out)


@pytest.mark.parametrize("n_members", [1, 3, 5, 8])
def test_no_other_subset_is_better(n_members):
    matrix = random_dice()
    best = max(combinations(range(8), n_members), key=lambda rows: matrix[list(rows)].max(axis=0).mean())
    assert tuple(best_subset(matrix, n_members)) == best


def test_it_does_not_matter_in_how_many_pieces_subsets_are_tried(monkeypatch):
    whole = best_subset(random_dice(), 4)
    monkeypatch.setattr(ensemble, "CHUNK_VALUES", 100)
    np.testing.assert_array_equal(best_subset(random_dice(), 4), whole)


def test_where_there_are_too_many_subsets_a_swap_mends_what_adding_missed(monkeypatch):
    monkeypatch.setattr(ensemble, "MAX_EXHAUSTIVE", 2)
    found = evidence().suggest(2)  # adding takes c first and then a
    assert found.networks == ("a", "b")
    assert not found.is_exhaustive


def test_no_single_swap_improves_what_swapping_ends_with(monkeypatch):
    monkeypatch.setattr(ensemble, "MAX_EXHAUSTIVE", 2)
    matrix = random_dice(12)
    members = best_subset(matrix, 4).tolist()
    assert len(set(members)) == 4
    value = matrix[members].max(axis=0).mean()
    for out in members:
        for new in set(range(12)) - set(members):
            assert matrix[[*(set(members) - {out}), new]].max(axis=0).mean() <= value


def test_a_case_counts_only_if_every_network_has_a_map_of_it():
    matrix = DICE.copy()
    matrix[0, 1] = matrix[2, 3] = nan
    found = evidence(matrix)
    assert (found.n_cases, found.n_dropped) == (2, 2)
    assert (found.components, found.folds) == (("p", "r"), (0, 1))
    assert found.mean_dice == pytest.approx({"a": 0.7, "b": 0.3, "c": 0.6})


@pytest.mark.parametrize("matrix", [np.full((2, 4), nan), np.full((2, 4), 1.1), np.empty((0, 4))])
def test_dice_of_nothing_or_out_of_range_is_refused(matrix):
    with pytest.raises(InputError, match="of no case, or outside"):
        evidence(matrix)


def test_shapes_that_disagree_are_refused():
    with pytest.raises(InputError, match=r"\(3, 4\).*\(2, 2\)"):
        OutOfFold(("a", "b", "c"), DICE, np.eye(2), tuple("pqrs"), (0, 0, 1, 1))


@pytest.mark.parametrize("n_members", [0, 4])
def test_an_ensemble_of_an_impossible_size_is_refused(n_members):
    with pytest.raises(InputError, match="3 networks are measured"):
        evidence().suggest(n_members)


def test_the_interval_draws_patients_and_not_films():
    # Two patients, drawn twice with replacement: 0 and 1 each come out one time in four. Over films they would not.
    low, high = evidence(np.array([[1.0, 1.0, 1.0, 0.0]]), components="pppq").intervals()["a"]
    assert (low, high) == (0, 1)


def test_films_that_repeat_their_patient_do_not_narrow_the_interval():
    alone = random_dice(2, 20)
    of_twenty = evidence(alone, components="abcdefghijklmnopqrst", folds=range(20)).intervals()
    repeated = evidence(alone.repeat(5, axis=1), "".join(c * 5 for c in "abcdefghijklmnopqrst"), range(100)).intervals()
    for name, (low, high) in of_twenty.items():
        assert repeated[name] == pytest.approx((low, high))
        assert low < evidence(alone, "abcdefghijklmnopqrst", range(20)).mean_dice[name] < high
        assert 0.15 < high - low < 0.35  # a mean of 20 uniform values: 4 x 0.29 / sqrt(20) = 0.26


def test_one_patient_has_no_interval():
    assert all(isnan(bound) for bound in evidence(components="pppp").intervals()["a"])


def test_the_dice_matrix_is_the_dice_of_every_pair():
    rng = np.random.default_rng(0)
    masks = [*(rng.random((4, 30, 20)) > 0.7), np.zeros((30, 20), bool), np.zeros((30, 20), bool)]
    expected = [[dice(a, b) for b in masks] for a in masks]
    np.testing.assert_allclose(dice_matrix(masks), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "No network is named"),
        (["unet-tiny", "dla-tiny", "unet-tiny"], "named twice: unet-tiny"),
        (["unet-huge"], "Unknown encoder 'huge'"),
    ],
)
def test_networks_must_be_known_and_distinct(names, message):
    with pytest.raises(InputError, match=message):
        parse_networks(names)
