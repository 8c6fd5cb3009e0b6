"""What holds for any verdicts."""

from hypothesis import given
from hypothesis import strategies as st

from db.domain.agreement import MANUAL, Judgement, chance_machine_preferred, measure_preference
from db.domain.verdict import VerdictKind


@st.composite
def picks(draw):
    origins = draw(st.permutations([MANUAL, "unet", "dla", "unet_plus_plus"]))
    slot = draw(st.integers(0, 3))
    equal = draw(st.frozensets(st.integers(0, 3)))
    return Judgement("c", draw(st.sampled_from("abc")), tuple(origins), VerdictKind.PICK, slot, equal)


@given(st.lists(picks(), min_size=1, max_size=20))
def test_credit_is_neither_made_nor_lost(judgements):
    preference = measure_preference(judgements)
    total = sum(preference.credit.values())
    assert abs(total - len(judgements)) < 1e-9
    assert abs(preference.machine.value - (total - preference.credit.get(MANUAL, 0)) / total) < 1e-9
    assert 0 <= preference.machine.low <= preference.machine.value + 1e-12
    assert preference.machine.value <= preference.machine.high + 1e-12 <= 1 + 2e-12


@given(st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_machines_that_are_alike_have_less_of_a_head_start(n_machines, a, b):
    low, high = sorted((a, b))
    assert chance_machine_preferred(n_machines, high) <= chance_machine_preferred(n_machines, low) + 1e-7
    assert 0.5 - 1e-7 <= chance_machine_preferred(n_machines, high) <= n_machines / (n_machines + 1) + 1e-7
