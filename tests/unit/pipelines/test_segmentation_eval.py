"""Pixels, films and lesion sizes from stored predictions."""

from math import isnan

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from db.domain.errors import InputError
from db.domain.mask import dice
from pipelines.scores import ConfusionCounts, to_levels
from pipelines.segmentation_eval import FilmPrediction, evaluate


def film(case, truth, probability, *, fold=0, component=None):
    return FilmPrediction(case, component or case, fold, np.array(truth, bool), np.array(probability, np.float32))


def disc(case, n_pixels, n_found, **place):
    """A film of 20 x 20 with `n_pixels` infected, of which `n_found` are found."""
    truth, probability = np.zeros(400), np.zeros(400)
    truth[:n_pixels], probability[:n_found] = 1, 0.8
    return film(case, truth.reshape(20, 20), probability.reshape(20, 20), **place)


def test_pooled_counts_and_the_mean_over_folds():
    scored = evaluate([disc("a", 100, 50, fold=0), disc("b", 10, 10, fold=1)])
    assert scored.pixels.pooled == ConfusionCounts(tp=60, fp=0, tn=690, fn=50)
    assert scored.pixels.fold_mean("sensitivity") == pytest.approx(0.75)


def test_one_half_is_infected():
    scored = evaluate([film("a", [[1, 1]], [[0.5, 0.4999]])])
    assert scored.pixels.pooled == ConfusionCounts(tp=1, fp=0, tn=0, fn=1)


def test_films_without_infection_stay_out_of_the_mean_dice_and_are_told_apart():
    scored = evaluate([disc("sick", 10, 5), disc("clean", 0, 0), disc("specked", 0, 1)])
    assert scored.mean_dice == pytest.approx(2 / 3)
    assert scored.clean_share == 0.5
    assert [one.dice for one in scored.films] == pytest.approx([2 / 3, 1, 0])


def test_without_infected_films_there_is_no_mean_dice():
    assert isnan(evaluate([disc("clean", 0, 0)]).mean_dice)


def test_size_quartiles_go_from_the_smallest_lesions_to_the_largest():
    scored = evaluate([disc(f"f{n:03}", n, n if n > 40 else 0) for n in range(10, 90, 10)])
    quartiles = scored.size_quartiles()
    assert [one.n_films for one in quartiles] == [2, 2, 2, 2]
    assert [one.mean_dice for one in quartiles] == [0, 0, 1, 1]
    assert quartiles[0].largest == pytest.approx(20 / 400)


def test_interval_holds_the_figure_and_repeats_with_its_seed():
    films = [disc(f"f{i}", 50, 10 + i, component=f"p{i // 2}") for i in range(30)]
    scored = evaluate(films)
    low, high = scored.interval("mean_dice", seed=5, n_resamples=300)
    assert low < scored.mean_dice < high
    assert (low, high) == scored.interval("mean_dice", seed=5, n_resamples=300)
    low, high = scored.interval("f1", n_resamples=300)
    assert low < scored.pixels.pooled.f1 < high


def test_a_case_that_comes_twice_or_has_another_size_is_refused():
    with pytest.raises(InputError, match="twice"):
        evaluate([disc("a", 1, 1), disc("a", 1, 1)])
    with pytest.raises(InputError, match="a is"):
        evaluate([film("a", [[1, 1]], [[0.5]])])
    with pytest.raises(InputError, match="no prediction"):
        evaluate([])


def test_pixels_of_normal_films_count_for_the_area_under_the_curve():
    rng = np.random.default_rng(2)
    films = [film(str(i), rng.random((9, 9)) < 0.3 * (i % 2), rng.random((9, 9)), fold=i) for i in range(6)]
    truth = np.concatenate([one.truth.ravel() for one in films])
    levels = to_levels(np.concatenate([one.probability.ravel() for one in films]))
    assert evaluate(films).pixels.auc == pytest.approx(roc_auc_score(truth, levels), abs=1e-12)


def test_predictions_are_read_once_so_that_a_generator_will_do():
    assert evaluate(disc(str(i), 5, 3) for i in range(4)).pixels.pooled.tp == 12


def test_dice_of_a_film_is_that_of_its_masks_also_when_empty():
    films = [disc("a", 10, 3), disc("b", 0, 0), disc("c", 0, 4), disc("d", 4, 0)]
    for one, score in zip(films, evaluate(films).films, strict=True):
        assert score.dice == pytest.approx(dice(one.truth, one.probability >= 0.5))


def test_another_threshold_calls_other_pixels():
    films = [film("a", [[1, 1, 0, 0]], [[0.9, 0.2, 0.3, 0.1]])]
    assert evaluate(films, threshold=0.2).pixels.pooled == ConfusionCounts(tp=2, fp=1, tn=1, fn=0)


def test_films_of_one_patient_do_not_count_as_independent():
    rng = np.random.default_rng(1)
    found = rng.integers(0, 101, 40)
    films = [disc(f"{p}-{i}", 100, n, component=str(p)) for p, n in enumerate(found) for i in range(4)]
    low, high = evaluate(films).interval("sensitivity")
    assert high - low == pytest.approx(2 * 1.96 * np.std(found / 100) / 40**0.5, rel=0.1)
