"""Films called by any pixel, and by nothing else."""

import numpy as np
import pytest

from db.domain.errors import InputError
from pipelines.detection_eval import FilmPeak, evaluate
from pipelines.scores import ConfusionCounts


def film(case, peak, *, is_infected, fold=0):
    probability = np.zeros((8, 8), np.float32)
    probability[3, 5] = peak
    return FilmPeak.of(probability, case=case, component=case, fold=fold, is_infected=is_infected)


def test_one_pixel_at_one_half_makes_a_film_positive():
    films = [film("a", 0.5, is_infected=True), film("b", 0.4999, is_infected=True), film("c", 0.9, is_infected=False)]
    assert evaluate(films).scores.pooled == ConfusionCounts(tp=1, fp=1, tn=0, fn=1)


def test_each_fold_has_its_matrix():
    films = [
        film("a", 0.9, is_infected=True, fold=1),
        film("b", 0.1, is_infected=False, fold=0),
        film("c", 0.2, is_infected=True, fold=0),
    ]
    by_fold = evaluate(films).scores.fold_counts
    assert by_fold == {0: ConfusionCounts(0, 0, 1, 1), 1: ConfusionCounts(1, 0, 0, 0)}


def test_auc_ranks_films_by_their_peak():
    sick = [film(f"s{i}", peak, is_infected=True) for i, peak in enumerate((0.9, 0.3, 0.2))]
    well = [film(f"w{i}", peak, is_infected=False) for i, peak in enumerate((0.3, 0.1))]
    assert evaluate(sick + well).scores.auc == pytest.approx((2 + 1.5 + 1) / 6)


def test_interval_of_the_sensitivity_leaves_the_well_out():
    sick = [film(f"s{i}", 0.9 if i % 2 else 0.1, is_infected=True) for i in range(40)]
    well = [film(f"w{i}", 0.1, is_infected=False) for i in range(200)]
    low, high = evaluate(sick + well).interval("sensitivity", n_resamples=300)
    assert 0.3 < low < 0.5 < high < 0.7


def test_cases_that_come_twice_are_refused():
    with pytest.raises(InputError, match="2 films of 1 cases"):
        evaluate([film("a", 0.5, is_infected=True)] * 2)


def test_the_papers_best_detector_comes_out_with_its_interval():
    called = [(0.9, True, 2903), (0.5, False, 244), (0.4999, False, 12300), (0.1, True, 48)]
    detection = evaluate(
        FilmPeak(f"{peak}-{i}", f"{peak}-{i}", i % 5, is_infected, peak)
        for peak, is_infected, n in called
        for i in range(n)
    )
    assert detection.scores.pooled == ConfusionCounts(tp=2903, fp=244, tn=12300, fn=48)
    assert len(detection.scores.fold_counts) == 5
    low, high = detection.interval("specificity", n_resamples=500)
    assert high - low == pytest.approx(2 * detection.scores.pooled.half_width("specificity"), rel=0.2)
