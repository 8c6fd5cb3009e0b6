from dataclasses import replace

import numpy as np
import pytest

from db.domain.errors import InputError
from db.domain.mask import Mask
from db.domain.verdict import VerdictKind
from pipelines.simulate import ReaderTraits, choose, consensus, draw, imagine

TRAITS = ReaderTraits()


def _square(low: int, high: int) -> Mask:
    mask = np.zeros((100, 120), np.bool_)
    mask[low:high, low:high] = True
    return mask


def test_the_candidate_most_like_the_mind_is_picked_wherever_it_stands() -> None:
    candidates = [_square(60, 90), _square(20, 45), _square(10, 90)]
    for turn in range(3):
        turned = candidates[turn:] + candidates[:turn]
        choice = choose(np.random.default_rng(0), turned, _square(20, 44), TRAITS)
        assert choice.kind is VerdictKind.PICK
        assert turned[choice.index or 0] is candidates[1]


def test_garbage_is_denied() -> None:
    garbage = [_square(60, 90), _square(0, 5), np.ones((100, 120), np.bool_), np.zeros((100, 120), np.bool_)]
    choice = choose(np.random.default_rng(0), garbage, _square(20, 44), TRAITS)
    assert choice.kind is VerdictKind.DENY_ALL
    assert choice.index is None


def test_a_stricter_reader_denies_what_another_picks() -> None:
    mental, middling = _square(20, 60), _square(30, 70)  # Dice 0.56
    kinds = [
        choose(np.random.default_rng(0), [middling], mental, replace(TRAITS, deny_below=level, choice_noise=0)).kind
        for level in (0.5, 0.6)
    ]
    assert kinds == [VerdictKind.PICK, VerdictKind.DENY_ALL]


def test_a_blank_mind_says_no_infection() -> None:
    choice = choose(np.random.default_rng(0), [_square(20, 44)], _square(0, 0), TRAITS)
    assert choice.kind is VerdictKind.NO_INFECTION


def test_near_equals_are_picked_about_equally_often() -> None:
    candidates = [_square(20, 60), _square(21, 61)]
    mental = _square(20, 61)
    picks = [choose(np.random.default_rng(seed), candidates, mental, TRAITS).index for seed in range(400)]
    assert 0.4 < np.mean(picks) < 0.6  # type: ignore[arg-type]  # every choice here is a pick, so no index is None


def test_better_candidates_are_picked_more_often() -> None:
    truth = _square(20, 70)
    picks = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        candidates = [draw(rng, truth, replace(TRAITS, care=care)) for care in (2.5, 1.0, 0.2)]
        picks.append(choose(rng, candidates, imagine(rng, truth, TRAITS), TRAITS).index)
    assert picks.count(2) > picks.count(1) > picks.count(0)
    assert picks.count(2) > 30


def test_a_consensus_is_what_half_of_the_candidates_hold() -> None:
    candidates = [_square(10, 50), _square(10, 50), _square(30, 70), _square(80, 90)]
    assert np.array_equal(consensus(candidates), _square(10, 50))


def test_a_consensus_is_blank_only_if_every_candidate_is() -> None:
    apart = [_square(0, 10), _square(20, 30), _square(40, 50), _square(60, 70)]
    assert consensus(apart).sum() == 400
    assert not consensus([_square(0, 0)] * 3).any()


def test_masks_of_other_shapes_are_refused_with_both_shapes() -> None:
    with pytest.raises(InputError, match=r"\(5, 5\) cannot be compared with a mask of shape \(100, 120\)"):
        choose(np.random.default_rng(0), [np.ones((5, 5), np.bool_)], _square(0, 5), TRAITS)


def test_no_candidates_are_refused() -> None:
    with pytest.raises(InputError, match="no candidates"):
        consensus([])
