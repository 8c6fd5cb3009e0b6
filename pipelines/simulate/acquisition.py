"""What the X-ray machine and the bedside do to a film; the same for sick and healthy, or a network learns it instead.

Source: docs/simulation.md, "Phantom film".
"""

import numpy as np
import numpy.typing as npt

from pipelines.simulate.canvas import Canvas, Field, Points, Stroke, cloud, soft_step, spline

Film = npt.NDArray[np.uint8]

LETTERS = {
    "L": [[(0.0, 0.0), (0.0, 1.0), (0.6, 1.0)]],
    "R": [[(0.0, 1.0), (0.0, 0.0), (0.45, 0.0), (0.6, 0.25), (0.45, 0.5), (0.0, 0.5)], [(0.3, 0.5), (0.62, 1.0)]],
}
"""Strokes of the side marker in a box of height 1."""


def expose(rng: np.random.Generator, attenuation: Field, canvas: Canvas, *, extra: Field) -> Film:
    """A film of `attenuation` plus `extra`, the lesions' share, both float32 [side, side]; uint8 [side, side].

    The window is set by `attenuation` alone: were it set by the sum, disease would change the tone of the whole film.
    """
    scatter = rng.uniform(0.12, 0.3)
    hardware = _wires(rng, canvas)
    low, high = _window(rng, attenuation)
    field = attenuation + extra + hardware
    field = (1 - scatter) * field + scatter * canvas.blur(field, rng.uniform(0.04, 0.07))
    field = canvas.blur(field, rng.uniform(0.0015, 0.003))
    if rng.random() < 0.55:  # noqa: PLR2004 - share of films
        field = field + rng.uniform(0.3, 1.0) * (field - canvas.blur(field, rng.uniform(0.012, 0.04)))
    grey = _tone(rng, (field - low) / (high - low))
    grey = _tilt(rng, grey, canvas)
    grey = np.maximum(grey, _side_marker(rng, canvas))
    grey = grey * _collimation(rng, canvas) + _noise(rng, canvas)
    return np.asarray(np.clip(np.rint(grey * 255), 0, 255), np.uint8)


def _window(rng: np.random.Generator, attenuation: Field) -> tuple[float, float]:
    low, high = np.percentile(attenuation[::4, ::4], (rng.uniform(0.5, 4), rng.uniform(98, 99.9)))
    return float(low), float(high)


def _tone(rng: np.random.Generator, exposure: Field) -> Field:
    """Film curve: a sigmoid of random steepness and centre, from (0, 0) to (1, 1), then gamma and contrast."""
    steepness, centre = rng.uniform(3.0, 5.5), rng.uniform(0.42, 0.58)
    ends = 1 / (1 + np.exp(-steepness * (np.array([0.0, 1.0]) - centre)))
    curve = (1 / (1 + np.exp(-steepness * (exposure - centre))) - ends[0]) / (ends[1] - ends[0])
    grey = np.clip(curve, 0, 1) ** rng.uniform(0.85, 1.25)
    contrast = rng.uniform(0.78, 0.97)
    return np.asarray(contrast * grey + rng.uniform(0, 1 - contrast), np.float32)


def _tilt(rng: np.random.Generator, grey: Field, canvas: Canvas) -> Field:
    """One side or one end a little brighter, as when the grid is not square to the beam."""
    x, y = canvas.grid
    return np.asarray(grey * (1 + rng.normal(0, 0.08) * x + rng.normal(0, 0.08) * (y - 0.5)), np.float32)


def _noise(rng: np.random.Generator, canvas: Canvas) -> Field:
    shape = canvas.grid[0].shape
    white = rng.standard_normal(shape, dtype=np.float32) * np.float32(rng.uniform(0.006, 0.016))
    grain = cloud(rng, shape, n_cells=canvas.side_px // 4, n_octaves=2) * np.float32(rng.uniform(0.003, 0.008))
    return white + grain


def _wires(rng: np.random.Generator, canvas: Canvas) -> Field:
    """Leads and electrodes of a monitor, on 45 % of films."""
    layer = np.zeros_like(canvas.grid[0])
    if rng.random() < 0.45:  # noqa: PLR2004 - share of films
        strokes, spots = [], []
        for _ in range(rng.integers(1, 4)):
            spot = np.array([rng.uniform(-0.38, 0.38), rng.uniform(0.25, 0.8)])
            away = np.array([rng.uniform(-0.5, 0.5), rng.choice([-0.05, 1.05])])
            bend = (spot + away) / 2 + rng.normal(0, 0.08, 2)
            strokes.append(Stroke(spline([spot, bend, away], 40), 0.004, 1.0))
            spots.append(spot)
        layer = rng.uniform(0.12, 0.3) * canvas.stroke(strokes)
        for x, y in spots:
            rho = canvas.ellipse((x, y), (0.014, 0.014))
            layer = np.maximum(layer, rng.uniform(0.1, 0.25) * soft_step(1 - rho, 0.25))
    return np.asarray(layer, np.float32)


def _side_marker(rng: np.random.Generator, canvas: Canvas) -> Field:
    """A lead letter in an upper corner, on 70 % of films: the patient's left is on the right of the image."""
    if rng.random() >= 0.7:  # noqa: PLR2004 - as above
        return np.zeros_like(canvas.grid[0])
    letter, side = [("L", 1), ("R", -1)][rng.integers(2)]
    size = rng.uniform(0.035, 0.055)
    corner = np.array([side * rng.uniform(0.38, 0.43) - size / 2, rng.uniform(0.04, 0.12)])
    lines: list[Points] = [np.array(line) * size + corner for line in LETTERS[letter]]
    return rng.uniform(0.85, 1.0) * canvas.stroke(Stroke(line, 0.009, 1.0) for line in lines)


def _collimation(rng: np.random.Generator, canvas: Canvas) -> Field:
    """The shutters' dark frame, on 30 % of films: what it leaves of the light."""
    x, y = canvas.grid
    light = np.ones_like(x)
    if rng.random() < 0.3:  # noqa: PLR2004 - as above
        left, right, top, bottom = rng.uniform(0.0, 0.05, 4)
        inside = np.minimum(np.minimum(x + 0.5 - left, 0.5 - right - x), np.minimum(y - top, 1 - bottom - y))
        light = np.asarray(0.06 + 0.94 * soft_step(inside, 0.008), np.float32)
    return light
