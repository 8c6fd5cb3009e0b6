import numpy as np
import pytest

from pipelines.simulate.canvas import Canvas, Stroke, cloud, soft_step, spline, stretch

STRAIGHT = Canvas(128, angle_rad=0.0, scale=1.0, shift=(0.0, 0.0))


def test_a_filled_square_covers_its_area() -> None:
    square = np.array([(-0.25, 0.25), (0.25, 0.25), (0.25, 0.75), (-0.25, 0.75)])
    assert STRAIGHT.fill(square).mean() == pytest.approx(0.25, abs=0.01)


def test_points_and_grid_agree_on_any_pose() -> None:
    canvas = Canvas(128, angle_rad=0.3, scale=1.2, shift=(0.05, -0.1))
    x, y = canvas.grid
    column, row = (canvas.to_px(np.array([(0.1, 0.4)]))[0] - 0.5).round().astype(int)
    assert (x[row, column], y[row, column]) == pytest.approx((0.1, 0.4), abs=0.01)


def test_positive_x_is_on_the_right_of_the_image() -> None:
    drawn = STRAIGHT.stroke([Stroke(np.array([(0.2, 0.1), (0.2, 0.9)]), 0.05, 1.0)])
    assert drawn[:, 64:].sum() > 0
    assert not drawn[:, :64].any()


def test_an_ellipse_is_one_on_its_edge() -> None:
    rho = STRAIGHT.ellipse((0.0, 0.5), (0.25, 0.125))
    assert rho[64, 64 + 32] == pytest.approx(1, abs=0.03)
    assert rho[64 + 16, 64] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("width", [0.01, 0.1])
def test_a_blur_keeps_the_mean_and_spreads_by_its_width(width: float) -> None:
    point = np.zeros((128, 128), np.float32)
    point[62:66, 62:66] = 1
    blurred = STRAIGHT.blur(point, width)
    x, _ = STRAIGHT.grid
    spread = np.sqrt((blurred * x**2).sum() / blurred.sum())
    assert blurred.sum() == pytest.approx(16, rel=0.03)
    assert spread == pytest.approx(np.hypot(width, np.sqrt(15 / 12) / 128), rel=0.1)


def test_a_spline_passes_through_its_knots_and_a_closed_one_returns() -> None:
    knots = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]
    curve = spline(knots, 101)
    assert np.linalg.norm(curve - (1.0, 0.0), axis=1).min() < 0.02
    closed = spline(knots, 101, closed=True)
    assert closed[0] == pytest.approx(closed[-1])


def test_a_soft_step_goes_from_nothing_to_all_over_its_width() -> None:
    at = np.array([-0.6, 0.0, 0.6], np.float32)
    assert soft_step(at, 1.0).tolist() == [0.0, 0.5, 1.0]


def test_clouds_are_smooth_and_about_zero() -> None:
    noise = cloud(np.random.default_rng(0), (200, 100), n_cells=20, n_octaves=2)
    assert noise.shape == (200, 100)
    assert abs(noise.mean()) < 0.15
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.5 * noise.std()


def test_stretching_keeps_a_flat_field_flat() -> None:
    assert stretch(np.full((4, 4), 0.5, np.float32), (9, 17)) == pytest.approx(np.full((9, 17), 0.5))
