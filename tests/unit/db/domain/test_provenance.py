"""The out-of-fold certificate."""

import pytest

from db.domain.errors import InvariantError
from db.domain.provenance import Certificate

COMPONENT_OF = {"a": "a", "b": "a", "c": "c"}


def test_a_mask_whose_ancestors_saw_other_components_passes():
    Certificate("a", "a", frozenset({"c"})).check(COMPONENT_OF)


def test_a_film_of_the_same_patient_among_the_ancestors_is_a_broken_invariant():
    with pytest.raises(InvariantError, match="saw b"):
        Certificate("a", "a", frozenset({"b", "c"})).check(COMPONENT_OF)
