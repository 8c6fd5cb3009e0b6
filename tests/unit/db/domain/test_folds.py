"""Splits by component."""

from collections import Counter

import pytest

from db.domain.errors import InputError, StateError
from db.domain.folds import assign_folds, components, extend_folds, sample_components

KEYS = [f"c{i:03}" for i in range(60)]
COMPONENT_OF = {key: KEYS[i // 2 * 2] for i, key in enumerate(KEYS)}
STRATUM_OF = {key: "drawn" if i < 20 else "normal" for i, key in enumerate(KEYS)}


def folds(n_folds=5, seed=1, required=("drawn",)):
    return assign_folds(COMPONENT_OF, STRATUM_OF, n_folds=n_folds, seed=seed, required=required)


def test_components_join_what_is_linked_through_others_and_take_the_smallest_key():
    found = components([("b", "c"), ("c", "a")], ["a", "b", "c", "d"])
    assert found == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_no_component_stands_on_two_folds():
    assigned = folds()
    assert all(assigned[key] == assigned[COMPONENT_OF[key]] for key in KEYS)


def test_every_fold_gets_its_share_of_every_stratum():
    assigned = folds()
    counts = Counter((STRATUM_OF[key], fold) for key, fold in assigned.items())
    assert {counts["drawn", fold] for fold in range(5)} == {4}
    assert {counts["normal", fold] for fold in range(5)} == {8}


def test_the_seed_decides():
    assert folds() == folds()
    assert folds() != folds(seed=2)


def test_too_few_patients_for_five_folds_is_an_input_error_that_counts_them():
    few = {key: COMPONENT_OF[key] for key in KEYS[:8] + KEYS[20:]}
    with pytest.raises(InputError, match="5 folds need at least 5 patients in 'drawn'; 4 are there"):
        assign_folds(few, STRATUM_OF, n_folds=5, seed=1, required={"drawn"})


def test_a_small_stratum_that_is_not_required_is_spread_with_the_largest():
    strata = STRATUM_OF | {"c000": "rare", "c001": "rare"}
    assert set(assign_folds(COMPONENT_OF, strata, n_folds=5, seed=1, required={"drawn"})) == set(KEYS)


def test_a_late_film_inherits_the_fold_of_its_component():
    held = {key: fold for key, fold in folds().items() if key != "c001"}
    placed, conflicts = extend_folds(held, COMPONENT_OF, n_folds=5, seed=1)
    assert placed == {"c001": held["c000"]}
    assert not conflicts


def test_new_components_go_where_few_are():
    held = {"a": 0, "b": 0, "c": 1}
    of_case = {key: key for key in "abcd"}
    placed, _ = extend_folds(held, of_case, n_folds=3, seed=1)
    assert placed == {"d": 2}


def test_a_late_film_that_joins_two_folds_is_a_conflict_and_is_not_placed():
    placed, conflicts = extend_folds({"a": 0, "b": 1}, {"a": "a", "b": "a", "c": "a"}, n_folds=2, seed=1)
    assert placed == {}
    assert conflicts == {"a": [0, 1]}


def test_a_sample_takes_whole_components_until_it_is_large_enough():
    chosen = sample_components(COMPONENT_OF, 7, seed=3)
    assert len(chosen) == 4
    assert chosen == sample_components(COMPONENT_OF, 7, seed=3)


def test_a_sample_larger_than_what_there_is_says_so():
    with pytest.raises(StateError, match="61 cases were asked for, 60 are there"):
        sample_components(COMPONENT_OF, 61, seed=1)
