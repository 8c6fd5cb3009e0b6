"""What holds of scores whatever the counts."""

from math import isnan

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import fbeta_score, roc_auc_score

from pipelines.scores import METRICS, ConfusionCounts, LevelHistogram, first_level, to_levels

COUNTS = st.builds(ConfusionCounts, *[st.integers(0, 10**9)] * 4)


@given(COUNTS)
def test_every_metric_is_a_fraction_or_unknown(counts):
    for metric in METRICS:
        value = counts.value(metric)
        assert isnan(value) or 0 <= value <= 1


@given(COUNTS)
def test_f1_is_the_harmonic_mean_of_precision_and_sensitivity(counts):
    if counts.tp:
        harmonic = 2 / (1 / counts.precision + 1 / counts.sensitivity)
        assert abs(counts.f1 - harmonic) < 1e-9


@given(COUNTS, COUNTS)
def test_pooling_keeps_every_sample(one, other):
    assert (one + other).n == one.n + other.n


@given(arrays(np.uint16, 60), arrays(np.bool_, 60), st.floats(0, 1))
def test_a_histogram_counts_as_its_samples_do(levels, truth, threshold):
    counts = LevelHistogram.of(truth, levels).counts(threshold)
    assert counts == ConfusionCounts.from_masks(truth, levels >= first_level(threshold))


@given(st.integers(0, 65535))
def test_a_stored_level_survives_its_way_through_float32(level):
    assert to_levels(np.float32(level) / np.float32(65535)) == level


@given(arrays(np.bool_, 30), arrays(np.bool_, 30))
def test_counts_of_masks_score_as_in_scikit_learn(truth, predicted):
    counts = ConfusionCounts.from_masks(truth, predicted)
    assert counts.n == truth.size
    if counts.tp + counts.fp + counts.fn:
        for beta, value in ((1, counts.f1), (2, counts.f2)):
            np.testing.assert_allclose(value, fbeta_score(truth, predicted, beta=beta))


@given(arrays(np.uint16, 30), arrays(np.bool_, 30))
def test_a_histogram_ranks_as_scikit_learn_does(levels, truth):
    if 0 < truth.sum() < truth.size:
        np.testing.assert_allclose(LevelHistogram.of(truth, levels).auc, roc_auc_score(truth, levels), atol=1e-12)
