"""The healthy chest of a phantom film: an attenuation field put together from soft tissue, lungs and bone.

Source: docs/simulation.md, "Phantom film". Attenuation has no unit; the tone curve of `acquisition` turns it into grey.
"""

from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np
from scipy import ndimage

from db.domain.mask import Mask
from pipelines.simulate.canvas import Canvas, Field, Points, Stroke, cloud, soft_step, spline

BODY = 0.62
"""Attenuation of the body where it is thick; every other amplitude is relative to it."""

SIDES = (-1, 1)
"""The right lung, which a film shows on its left, and the left one."""


@dataclass(frozen=True)
class Build:
    """What differs from patient to patient; lengths in sides of the film."""

    apex: float
    base: float
    half_width: float
    lung_drop: float
    lung_edge: float
    heart: float
    heart_gain: float
    wall: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """A random patient."""
        half_width = rng.uniform(0.34, 0.43)
        return cls(
            apex=rng.uniform(0.10, 0.19),
            base=rng.uniform(0.72, 0.86),
            half_width=half_width,
            lung_drop=rng.uniform(0.34, 0.46),
            lung_edge=rng.uniform(0.02, 0.035),
            heart=half_width * rng.uniform(0.40, 0.62),
            heart_gain=rng.uniform(0.09, 0.15),
            wall=rng.uniform(0.045, 0.09),
        )

    @property
    def height(self) -> float:
        """From the apex to the costophrenic angle."""
        return self.base - self.apex

    def at(self, share: float) -> float:
        """The y that lies this share of the lung's height below the apex."""
        return self.apex + share * self.height


@dataclass(frozen=True)
class Chest:
    """attenuation: float32 [side, side]; aeration: share of full air in 0..1; lung: visible lung field, bool."""

    attenuation: Field
    aeration: Field
    lung: Mask


def make_chest(rng: np.random.Generator, canvas: Canvas) -> Chest:
    """A healthy chest in the pose of `canvas`."""
    build = Build.drawn(rng)
    outlines = [_lung_outline(rng, build, side) for side in SIDES]
    lungs = np.maximum(*(canvas.fill(outline) for outline in outlines))
    heart = _heart(rng, canvas, build)
    mediastinum = canvas.blur(canvas.fill(_mediastinum_outline(rng, build)), 0.005)
    middle = soft_step(canvas.grid[1] - build.at(0.12), 0.3) * soft_step(build.at(0.86) - canvas.grid[1], 0.25)
    shadow = np.maximum(heart, mediastinum)
    aeration = _saturating_depth(lungs > 0.5, build.lung_edge * canvas.side_px) * (1 - 0.85 * shadow)  # noqa: PLR2004 - half covered
    attenuation = (
        _body(rng, canvas, build)
        - build.lung_drop * aeration * (1 - _haze(rng, canvas, build))
        + 0.17 * mediastinum * (0.3 + 0.7 * middle)
        + build.heart_gain * heart
        + _soft_tissue(rng, canvas, build)
        + _airways(rng, canvas, build)
        + _vessels(rng, canvas, build) * (0.25 + 0.75 * aeration)
        + _bones(rng, canvas, build)
        + _spine(rng, canvas)
    )
    return Chest(attenuation.astype(np.float32), aeration.astype(np.float32), (lungs > 0.5) & (shadow < 0.5))  # noqa: PLR2004 - as above


def _saturating_depth(inside: Mask, scale_px: float) -> Field:
    """1 - exp(-depth / scale): thin at the rim, full further in."""
    depth_px = ndimage.distance_transform_edt(inside)
    return np.asarray(1 - np.exp(-depth_px / scale_px), np.float32)


def _haze(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    """What makes healthy lungs uneven: blood that sinks to the base, and cloudy tissue too fine to draw.

    Without it the brightest part of a lung would be the infected one.
    """
    down = (canvas.grid[1] - build.at(0.5)) / build.height
    clouds = cloud(rng, down.shape, n_cells=5, n_octaves=4)
    return np.asarray(rng.uniform(0.0, 0.4) * down + rng.uniform(0.08, 0.2) * clouds, np.float32)


def _body(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    neck, flank, shoulder = rng.uniform(0.10, 0.13), build.half_width + build.wall, rng.uniform(0.06, 0.13)
    right = np.array([
        (neck, -0.3), (neck, -0.08), (neck + 0.01, shoulder - 0.07), (0.20, shoulder - 0.02), (0.34, shoulder + 0.02),
        (0.46, shoulder + 0.07), (0.53, shoulder + 0.2), (max(0.49, flank + 0.02), 0.40), (flank + 0.005, 0.58),
        (flank, 0.75), (flank + 0.015, 1.0), (flank + 0.02, 1.3),
    ])  # fmt: skip
    outline = spline(np.concatenate([right, right[::-1] * (-1, 1)]), 240, closed=True)
    inside = canvas.fill(outline)
    thickness = 0.45 + 0.55 * _saturating_depth(inside > 0.5, 0.05 * canvas.side_px)  # noqa: PLR2004 - half covered
    muscle = 1 + 0.035 * cloud(rng, inside.shape, n_cells=4, n_octaves=3)
    return np.asarray(BODY * inside * thickness * muscle, np.float32)


def _lung_outline(rng: np.random.Generator, build: Build, side: int) -> Points:
    """A closed curve: over the apex, down the ribs to the costophrenic angle, back over the dome."""
    dome = rng.uniform(0.13, 0.20) + (0.03 if side < 0 else 0.0)
    medial = 0.045 if side < 0 else 0.05
    shares = np.array([
        (0.30, 0.00), (0.50, 0.035), (0.68, 0.12), (0.84, 0.28), (0.94, 0.50), (0.99, 0.75), (1.00, 0.93),
        (0.985, 0.995), (0.95, 0.99), (0.86, 1 - 0.42 * dome),
        (0.70, 1 - 0.82 * dome), (0.50, 1 - dome), (0.30, 1 - 0.93 * dome),
    ])  # fmt: skip
    lateral = shares * (build.half_width, build.height) + (0, build.apex)
    lateral[2:7, 0] += rng.normal(0, 0.006, 5)
    inner = [(medial, build.at(share)) for share in (0.80, 0.6, 0.42, 0.25, 0.12)]
    inner += [(0.55 * medial + 0.12 * build.half_width, build.at(0.025))]
    lift = rng.normal(0, 0.008)
    return spline(np.concatenate([lateral, inner]) * (side, 1) + (0, lift), 200, closed=True)


def _heart(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    """The silhouette from the pulmonary trunk to the apex and up the right atrium; it ends in the abdomen's shadow."""
    apex, atrium, sag = build.heart, rng.uniform(0.075, 0.115), rng.uniform(-0.04, 0.04)
    left = [
        (0.0, 0.38), (0.06, 0.42), (0.5 * apex + 0.035, 0.53), (0.93 * apex, 0.67 + sag),
        (apex, 0.80 + sag), (0.93 * apex, 0.89 + sag), (0.5 * apex, 0.95), (0.0, 0.96),
    ]  # fmt: skip
    right = [(-0.7 * atrium, 0.93), (-atrium, 0.80), (-0.95 * atrium, 0.68), (-0.055, 0.52)]
    outline = [(x, build.at(share)) for x, share in left + right]
    whole = canvas.blur(canvas.fill(spline(outline, 120, closed=True)), 0.005)
    return np.asarray(whole * soft_step(build.at(0.87) - canvas.grid[1], 0.14 * build.height), np.float32)


def _mediastinum_outline(rng: np.random.Generator, build: Build) -> Points:
    knob = rng.uniform(0.07, 0.095)
    right = [
        (0.045, -0.2),
        (0.045, 0.03),
        (0.05, build.at(0.1)),
        (0.058, build.at(0.25)),
        (0.055, build.at(0.5)),
        (0.05, 1.1),
    ]
    left = [
        (0.05, 1.1), (0.06, build.at(0.6)), (0.068, build.at(0.44)), (0.062, build.at(0.34)), (knob, build.at(0.255)),
        (0.055, build.at(0.13)), (0.045, 0.03), (0.045, -0.2),
    ]  # fmt: skip
    return spline(np.array([(-x, y) for x, y in right] + left), 160, closed=True)


def _soft_tissue(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    """Abdomen with liver, gastric bubble, breasts, hila and axillary folds."""
    x, y = canvas.grid
    below = soft_step(y - build.at(0.9), 0.12)
    tissue = below * (0.13 + 0.05 * soft_step(-x, 0.2))
    if rng.random() < 0.6:  # noqa: PLR2004 - share of films
        radii = rng.uniform(0.035, 0.085), rng.uniform(0.02, 0.045)
        bubble = canvas.ellipse((rng.uniform(0.13, 0.24), build.at(0.97) + rng.uniform(0, 0.04)), radii)
        tissue -= rng.uniform(0.08, 0.2) * soft_step(1 - bubble, 0.5)
    if rng.random() < 0.45:  # noqa: PLR2004 - as above
        tissue += rng.uniform(0.03, 0.09) * _breasts(rng, canvas, build)
    for side in SIDES:
        hilum = canvas.ellipse((side * rng.uniform(0.085, 0.1), build.at(0.45 - 0.02 * side)), (0.038, 0.062))
        tissue += rng.uniform(0.05, 0.10) * np.exp(-(hilum**2))
    return np.asarray(tissue, np.float32)


def _breasts(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    """Soft above, with a clear lower fold."""
    low, wide = build.at(rng.uniform(0.78, 0.98)), rng.uniform(0.13, 0.18)
    pair = np.zeros_like(canvas.grid[0])
    for side in SIDES:
        centre = (side * build.half_width * rng.uniform(0.55, 0.66), low - wide * 0.9 + rng.normal(0, 0.01))
        rho = canvas.ellipse(centre, (wide, wide * 1.05))
        pair = np.maximum(pair, soft_step(1 - rho, 0.14) * soft_step(canvas.grid[1] - centre[1], wide * 1.8))
    return pair


def _airways(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    carina, lean = build.at(0.34), rng.normal(0, 0.006)
    trachea = spline([(lean, -0.1), (lean, build.at(0.05)), (-0.008, build.at(0.2)), (-0.002, carina)], 30)
    right = spline([(-0.002, carina - 0.01), (-0.03, carina + 0.045), (-0.065, carina + 0.085)], 12)
    left = spline([(-0.002, carina - 0.01), (0.04, carina + 0.04), (0.085, carina + 0.065)], 12)
    width = rng.uniform(0.03, 0.04)
    air = canvas.stroke(
        [Stroke(trachea, width, 1.0), Stroke(right, width * 0.65, 0.6), Stroke(left, width * 0.55, 0.5)]
    )
    return np.asarray(-0.16 * canvas.blur(air, 0.005), np.float32)


def _vessels(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    """26 random walks a side, from the hilum outwards, thinner as they go."""
    strokes = []
    for side, turn in product(SIDES, np.linspace(-1.35, 1.45, 26)):
        at = np.array([side * rng.uniform(0.065, 0.095), build.at(rng.uniform(0.38, 0.54))])
        heading, width, reach = turn + rng.normal(0, 0.12), rng.uniform(0.006, 0.013), rng.uniform(0.15, 0.36)
        n_steps = 14
        for i in range(n_steps):
            heading += rng.normal(0, 0.16)
            ahead = at + reach / n_steps * np.array([side * np.cos(heading), 1.15 * np.sin(heading)])
            fade = 1 - i / n_steps
            strokes.append(Stroke(np.stack([at, ahead]), width * (0.25 + 0.75 * fade), 0.3 + 0.7 * fade))
            at = ahead
    return np.asarray(rng.uniform(0.09, 0.14) * canvas.blur(canvas.stroke(strokes), 0.0022), np.float32)


def _bones(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    """Ribs behind and in front, clavicles and scapulae: one layer each, since overlapping bones add up."""
    gain = rng.uniform(0.05, 0.11)
    layers = (
        (gain, _posterior_ribs(rng, build)),
        (0.65 * gain, _anterior_ribs(rng, build)),
        (1.35 * gain, _clavicles(rng, build)),
    )
    bones = sum(weight * canvas.blur(canvas.stroke(strokes), 0.0022) for weight, strokes in layers)
    return np.asarray(bones + rng.uniform(0.04, 0.09) * _scapulae(rng, canvas, build), np.float32)


def _hollow(points: Points, width: float, value: float = 1.0) -> list[Stroke]:
    """A bone's shaft with the bright rim of its cortex."""
    n = np.gradient(points, axis=0)
    normal = np.stack([-n[:, 1], n[:, 0]], axis=1) / np.linalg.norm(n, axis=1, keepdims=True)
    rims = [Stroke(points + s * 0.45 * width * normal, 0.0045, value) for s in SIDES]
    return [*rims, Stroke(points, width, 0.62 * value)]


def _posterior_ribs(rng: np.random.Generator, build: Build) -> list[Stroke]:
    strokes: list[Stroke] = []
    first, step, width = build.apex - 0.02, 0.98 * build.height / 10, rng.uniform(0.024, 0.031)
    for side, i in product(SIDES, range(10)):
        y, reach = first + i * step + rng.normal(0, 0.002), build.half_width * min(1.03, 0.56 + 0.17 * i)
        drop = 0.03 + 0.012 * i
        knots = [
            (0.035, y + 0.012),
            (0.35 * reach, y - 0.006),
            (0.7 * reach, y + 0.25 * drop),
            (0.93 * reach, y + 0.75 * drop),
        ]
        curve = spline([*knots, (reach, y + 1.5 * drop)], 30) * (side, 1)
        strokes += _hollow(curve, width * (0.75 if i == 0 else 1.0))
    return strokes


def _anterior_ribs(rng: np.random.Generator, build: Build) -> list[Stroke]:
    strokes: list[Stroke] = []
    first, step, width = build.at(0.12), 0.115 * build.height, rng.uniform(0.026, 0.034)
    for side, i in product(SIDES, range(6)):
        y, reach = first + i * step, build.half_width * min(1.0, 0.72 + 0.09 * i)
        slope = 0.085 + 0.012 * i
        knots = [
            (reach, y),
            (0.86 * reach, y + 0.45 * slope),
            (0.62 * reach, y + 0.85 * slope),
            (0.36 * reach, y + slope),
        ]
        strokes += _hollow(spline(knots, 24) * (side, 1), width, 0.9)
    return strokes


def _clavicles(rng: np.random.Generator, build: Build) -> list[Stroke]:
    strokes: list[Stroke] = []
    inner, rise = build.at(rng.uniform(0.06, 0.15)), rng.uniform(0.02, 0.09)
    for side in SIDES:
        y = inner + rng.normal(0, 0.006)
        knots = [(0.04, y), (0.12, y - 0.3 * rise), (0.22, y - 0.75 * rise), (0.32, y - rise), (0.41, y - 0.95 * rise)]
        strokes += _hollow(spline(knots, 24) * (side, 1), 0.03)
    return strokes


def _scapulae(rng: np.random.Generator, canvas: Canvas, build: Build) -> Field:
    """Blades beside (or, in a bedside film, over) the upper lungs, and the heads of the upper arms."""
    inside, top = rng.uniform(-0.06, 0.03), build.apex
    layer = np.zeros_like(canvas.grid[0])
    for side in SIDES:
        edge = build.half_width + inside
        blade = [(edge + 0.05, top), (edge - 0.015, top + 0.06), (edge - 0.005, top + 0.2), (edge + 0.03, top + 0.31)]
        blade += [(edge + 0.05, top + 0.24), (edge + 0.11, top + 0.08)]
        outline = spline(np.array(blade) * (side, 1), 60, closed=True)
        rim = canvas.stroke([Stroke(outline, 0.005, 1.0)])
        head = soft_step(1 - canvas.ellipse((side * (edge + 0.13), top + 0.02), (0.055, 0.06)), 0.2)
        layer += np.maximum(0.55 * canvas.fill(outline) + 0.45 * rim, 0.9 * head)
    return canvas.blur(layer, 0.003)


def _spine(rng: np.random.Generator, canvas: Canvas) -> Field:
    """Vertebral bodies with darker discs between them, a little longer each from top to bottom, and their pedicles."""
    x, y = canvas.grid
    phase = (y * (1 - 0.18 * y) / rng.uniform(0.046, 0.054) + rng.random()) % 1.0
    body = soft_step(np.float32(0.042) - np.abs(x), 0.012) * soft_step(np.float32(0.36) - np.abs(phase - 0.5), 0.22)
    pedicles = np.exp(-(((np.abs(x) - 0.026) / 0.006) ** 2) - ((phase - 0.4) / 0.13) ** 2)
    return np.asarray(rng.uniform(0.035, 0.07) * (body + 0.5 * pedicles), np.float32)
