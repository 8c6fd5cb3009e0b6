"""Credit, shares with their intervals, and what chance alone would give."""

from math import asin, isnan, pi

import numpy as np
import pytest
from scipy.stats import binomtest

from db.domain.agreement import (
    MANUAL,
    Judgement,
    chance_machine_preferred,
    find_equal_slots,
    mean_pairwise_dice,
    measure_position_bias,
    measure_preference,
    measure_share,
    wilson_interval,
)
from db.domain.errors import InputError
from db.domain.verdict import VerdictKind

ORIGINS = (MANUAL, "unet-small", "dla-small", "unet_plus_plus-small")


def judge(slot, *, reader="r1", equal=(), origins=ORIGINS):
    return Judgement("c", reader, origins, VerdictKind.PICK, slot, frozenset(equal))


def say(kind, reader="r1"):
    return Judgement("c", reader, ORIGINS, kind)


def test_equal_candidates_share_the_credit_whichever_was_picked():
    assert judge(0, equal=(0, 2)).credit == {MANUAL: 0.5, "dla-small": 0.5}
    assert judge(2, equal=(0, 2)).credit == judge(0, equal=(0, 2)).credit
    assert judge(1).credit == {"unet-small": 1}


def test_masks_almost_alike_are_equal():
    mask = np.zeros((100, 100), bool)
    mask[20:80, 20:80] = True
    nearly, other = mask.copy(), mask.copy()
    nearly[20, 20:80] = False
    other[20:26] = False
    assert find_equal_slots([mask, other, nearly], 0) == {0, 2}


@pytest.mark.parametrize(("correlation", "share"), [(0, 0.75), (0.6, 0.65), (0.9, 0.58), (1, 0.5)])
def test_an_indifferent_reader_prefers_one_of_three_machines(correlation, share):
    assert chance_machine_preferred(3, correlation) == pytest.approx(share, abs=0.01)


def test_chance_agrees_with_a_simulation():
    rng = np.random.default_rng(1)
    n_machines, correlation = 4, 0.4
    common, own = rng.normal(size=(200_000, 1)), rng.normal(size=(200_000, n_machines))
    machines = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
    simulated = (machines.max(axis=1) > rng.normal(size=200_000)).mean()
    assert chance_machine_preferred(n_machines, correlation) == pytest.approx(simulated, abs=0.005)


def test_one_machine_against_one_drawing_is_parity():
    assert chance_machine_preferred(1, 0.3) == pytest.approx(0.5)


def test_touch_ups_are_no_picks_and_no_infection_is_no_denial():
    touched = Judgement("c", "r1", ORIGINS, VerdictKind.TOUCH_UP, 1)
    found = measure_preference(
        [
            judge(0),
            judge(1),
            judge(2),
            touched,
            say(VerdictKind.DENY_ALL),
            say(VerdictKind.NO_INFECTION),
            say(VerdictKind.UNREADABLE),
        ]
    )
    assert found.machine.value == pytest.approx(2 / 3)
    assert found.denied.value == pytest.approx(1 / 6)
    assert (found.machine.n, found.denied.n) == (3, 6)
    assert found.credit == {MANUAL: 1, "unet-small": 1, "dla-small": 1}
    assert found.n_of_kind[VerdictKind.TOUCH_UP] == 1


def test_without_a_drawing_on_offer_there_is_no_machine_preference():
    found = measure_preference([judge(0, origins=ORIGINS[1:])])
    assert isnan(found.machine.value)
    assert found.credit == {"unet-small": 1}


def test_wilson_interval_of_a_known_share():
    assert wilson_interval(0.05, 100) == pytest.approx((0.0215, 0.1118), abs=1e-4)
    assert wilson_interval(0, 20)[0] == 0


def test_readers_who_differ_widen_the_interval():
    alike = [(reader, float(i % 2)) for reader in "abcd" for i in range(50)]
    apart = [(reader, float(reader in "ab")) for reader in "abcd" for _ in range(50)]
    narrow, wide = measure_share(alike), measure_share(apart)
    assert narrow.value == wide.value == 0.5
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
    assert "4 readers" in wide.method
    assert "one reader" in measure_share([("a", 1.0), ("a", 0.0)]).method


def test_a_reader_who_always_takes_the_first_slot_is_seen():
    biased = measure_position_bias([judge(0) for _ in range(40)])
    even = measure_position_bias([judge(i % 4) for i in range(40)])
    assert biased.chi_square == pytest.approx(120)
    assert biased.p_value < 1e-6
    assert even.n_chosen == (10, 10, 10, 10)
    assert even.p_value == pytest.approx(1)


def test_position_bias_asks_for_one_stage_at_a_time():
    with pytest.raises(InputError, match=r"\[3, 4\]"):
        measure_position_bias([judge(0), judge(0, origins=ORIGINS[1:])])


def test_position_bias_without_a_choice_is_unknown():
    assert isnan(measure_position_bias([say(VerdictKind.DENY_ALL)]).p_value)


def test_a_verdict_that_contradicts_itself_is_refused():
    with pytest.raises(InputError, match="slot"):
        Judgement("c", "r1", ORIGINS, VerdictKind.PICK)
    with pytest.raises(InputError, match="slot"):
        Judgement("c", "r1", ORIGINS, VerdictKind.PICK, 4)


def test_agreement_between_chosen_masks():
    full, half = np.ones((2, 4), bool), np.array([[1, 1, 0, 0]] * 2, bool)
    assert mean_pairwise_dice([full, full, half]) == pytest.approx((1 + 2 / 3 + 2 / 3) / 3)
    assert isnan(mean_pairwise_dice([full]))


def test_one_origin_behind_two_equal_panes_takes_both_parts():
    assert judge(0, equal=(0, 1), origins=("unet", "unet", MANUAL)).credit == {"unet": 1}


def test_parts_of_a_credit_count_in_the_machines_share():
    found = measure_preference([judge(0, equal=(0, 1)), judge(0), judge(3)])
    assert found.machine.value == pytest.approx((0.5 + 0 + 1) / 3)
    assert found.credit == {MANUAL: 1.5, "unet-small": 0.5, "unet_plus_plus-small": 1}


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.9, 0.999, 1.0])
def test_chance_agrees_with_the_closed_forms_for_two_and_three_machines(correlation):
    # Orthant probabilities of the differences, drawing less machine, which correlate by (1 + c) / 2.
    angle = asin((1 + correlation) / 2)
    assert chance_machine_preferred(2, correlation) == pytest.approx(3 / 4 - angle / (2 * pi))
    assert chance_machine_preferred(3, correlation) == pytest.approx(7 / 8 - 3 * angle / (4 * pi))


@pytest.mark.parametrize(("n_machines", "correlation"), [(0, 0.0), (3, -0.1), (3, 1.1)])
def test_an_impossible_panel_is_refused(n_machines, correlation):
    with pytest.raises(InputError, match="0 to 1 are allowed"):
        chance_machine_preferred(n_machines, correlation)


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 5), (60, 100), (9, 9)])
def test_one_readers_interval_is_wilsons(k, n):
    exact = binomtest(k, n).proportion_ci(method="wilson")
    share = measure_share([("a", float(i < k)) for i in range(n)])
    assert (share.low, share.high) == pytest.approx((exact.low, exact.high), abs=1e-4)


def test_over_readers_of_equal_load_the_interval_is_students():
    own = [0.3, 0.5, 0.6, 0.8]
    share = measure_share([(f"r{i}", float(j < 100 * p)) for i, p in enumerate(own) for j in range(100)])
    reach = 3.182446 * np.std(own, ddof=1) / 2
    assert (share.low, share.high) == pytest.approx((0.55 - reach, 0.55 + reach), abs=1e-5)


def test_readers_who_agree_by_luck_get_no_narrower_interval_than_their_cases_allow():
    share = measure_share([(reader, float(i < 3)) for reader in "ab" for i in range(5)])
    assert (share.low, share.high) == wilson_interval(0.6, 10)


def test_two_readers_who_differ_leave_everything_open():
    share = measure_share([("careful", 0.0)] * 50 + [("quick", 1.0)] * 50)
    assert (share.value, share.low, share.high) == (0.5, 0.0, 1.0)


def test_intervals_over_readers_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(11)
    holds, holds_by_case = [], []
    for _ in range(400):
        habits = np.clip(rng.normal(0.6, 0.12, 6), 0, 1)
        share = measure_share([(str(r), float(rng.random() < p)) for r, p in enumerate(habits) for _ in range(50)])
        low, high = wilson_interval(share.value, share.n)
        holds.append(share.low <= 0.6 <= share.high)
        holds_by_case.append(low <= 0.6 <= high)
    assert np.mean(holds) > 0.92
    assert np.mean(holds_by_case) < 0.8  # what leaving the readers out would claim


def test_without_a_judgement_nothing_is_claimed():
    share = measure_share([])
    assert share.n == 0
    assert isnan(share.value)
    assert isnan(share.low)
    assert measure_position_bias([]).n_chosen == ()
