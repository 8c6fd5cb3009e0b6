import math

import keras
import numpy as np
import numpy.typing as npt
import pytest

from ml_backend.losses import dice_loss, focal_loss, hybrid_loss

Array = npt.NDArray[np.float64]
TRUTH = np.array([[[1, 0]], [[1, 1]]], np.uint8)
PROBABILITY = np.array([[[0.8, 0.4]], [[0.5, 0.9]]])


def test_focal_loss_equals_the_sum_by_hand() -> None:
    terms = [
        0.25 * 0.2**2 * -math.log(0.8),
        0.75 * 0.4**2 * -math.log(0.6),
        0.25 * 0.5**2 * -math.log(0.5),
        0.25 * 0.1**2 * -math.log(0.9),
    ]
    assert float(focal_loss(TRUTH, PROBABILITY)) == pytest.approx(sum(terms) / 4, rel=1e-5)


def test_focal_loss_with_gamma_0_is_the_balanced_cross_entropy() -> None:
    truth = TRUTH.astype(np.float64)
    expected = -np.mean(0.3 * truth * np.log(PROBABILITY) + 0.7 * (1 - truth) * np.log(1 - PROBABILITY))
    assert float(focal_loss(TRUTH, PROBABILITY, alpha=0.3, gamma=0.0)) == pytest.approx(expected, rel=1e-5)


def test_dice_loss_is_the_mean_over_films() -> None:
    first, second = 1 - 2 * 0.8 / (1 + 1.2), 1 - 2 * 1.4 / (2 + 1.4)
    assert float(dice_loss(TRUTH, PROBABILITY)) == pytest.approx((first + second) / 2, rel=1e-5)


def test_dice_loss_over_the_batch_sums_before_it_divides() -> None:
    assert float(dice_loss(TRUTH, PROBABILITY, over="batch")) == pytest.approx(1 - 2 * 2.2 / (3 + 2.6), rel=1e-5)


def test_smoothing_stands_above_and_below() -> None:
    smoothed = dice_loss(TRUTH, PROBABILITY, over="batch", smoothing=1.0)
    assert float(smoothed) == pytest.approx(1 - (2 * 2.2 + 1) / (3 + 2.6 + 1), rel=1e-5)


def test_one_film_without_a_batch_axis_is_one_film() -> None:
    assert float(dice_loss(TRUTH[1], PROBABILITY[1])) == pytest.approx(1 - 2 * 1.4 / (2 + 1.4), rel=1e-5)


def test_an_empty_mask_with_an_empty_prediction_costs_nothing() -> None:
    empty = np.zeros((2, 3, 3, 1))
    assert float(dice_loss(empty, empty)) == 0.0


def test_an_empty_mask_costs_1_by_the_papers_formula_and_less_for_less_when_smoothed() -> None:
    empty = np.zeros((1, 3, 3, 1))
    assert float(dice_loss(empty, empty + 0.01)) == 1.0
    assert float(dice_loss(empty, empty + 0.01, smoothing=1.0)) == pytest.approx(1 - 1 / 1.09, rel=1e-5)


def test_hybrid_loss_is_the_plain_sum() -> None:
    parts = focal_loss(TRUTH, PROBABILITY, alpha=0.4, gamma=1.0) + dice_loss(
        TRUTH, PROBABILITY, over="batch", smoothing=1.0
    )
    hybrid = hybrid_loss(TRUTH, PROBABILITY, alpha=0.4, gamma=1.0, over="batch", smoothing=1.0)
    assert float(hybrid) == pytest.approx(float(parts), rel=1e-6)


def test_certain_and_wrong_probabilities_give_a_finite_loss() -> None:
    assert math.isfinite(float(hybrid_loss(TRUTH, 1.0 - TRUTH)))


def test_one_step_of_training_follows_the_numerical_gradient() -> None:
    """A layer that returns its own logits, moved by plain descent with rate 1, moves by minus the gradient."""
    logits = np.array([0.3, -0.7, 1.1, -0.2])
    mask = np.array([1.0, 0.0, 1.0, 0.0])

    def loss(values: Array) -> float:
        return float(hybrid_loss(mask[None, :, None], 1 / (1 + np.exp(-values))[None, :, None]))

    bumps = np.eye(4) * 1e-2
    numerical = np.array([(loss(logits + bump) - loss(logits - bump)) / 2e-2 for bump in bumps])
    films = keras.Input((1,))
    probability = keras.layers.Dense(4, use_bias=False, activation="sigmoid")(films)
    model = keras.Model(films, keras.layers.Reshape((4, 1))(probability))
    model.set_weights([logits[None]])
    model.compile(keras.optimizers.SGD(1.0), loss=hybrid_loss, jit_compile=False)
    model.train_on_batch(np.ones((1, 1)), mask[None, :, None])
    np.testing.assert_allclose(logits - model.get_weights()[0][0], numerical, rtol=2e-3, atol=1e-4)
