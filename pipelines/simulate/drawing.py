"""How a simulated reader draws a mask, and what mask the reader has in mind.

Source: docs/simulation.md, "Simulated reader".
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import polygon
from skimage.measure import approximate_polygon, find_contours

from db.domain.errors import InputError
from db.domain.mask import Mask, ProbabilityMap, dice, resample
from pipelines.simulate.traits import ReaderTraits

WORKING_PX = 256
"""Long side of the grid on which outlines are found; they are filled at the film's own size."""

SMALL = 0.05
"""Radius, as a share of the film's long side, at which the chance of a miss has fallen to 37 %."""

BIAS_SPREAD = 0.08
"""Standard deviation of the boundary's bias from region to region."""

CARE_RANGE = (0.05, 8.0)
"""Where `care_for` looks."""

Grey = npt.NDArray[np.uint8]
Parts = npt.NDArray[np.signedinteger]
Outline = npt.NDArray[np.float64]


def draw(
    rng: np.random.Generator, truth: Mask, traits: ReaderTraits, *, film: Grey | None = None, lung: Mask | None = None
) -> Mask:
    """A mask as the reader would draw it by hand: never blank where the truth is not.

    Parameters
    ----------
    truth
        bool [height, width], any size and aspect.
    traits
        The reader's habits.
    film, lung
        uint8 and bool [height, width]. With the film, faint regions are missed more often; with the lung, false
        regions lie in it. Without them contrast plays no part, and false regions lie in the film's middle.

    Returns
    -------
    bool [height, width]; holes are filled.
    """
    grid = _reduced(truth) >= 0.5  # noqa: PLR2004 - majority
    parts, n_parts = ndimage.label(grid, np.ones((3, 3)))
    labels = range(1, n_parts + 1)
    chances = _miss_chances(parts, n_parts, None if film is None else _reduced(film))
    slips = traits.care**2  # a look twice as careful catches more than half of the slips
    seen = [k for k in labels if rng.random() >= min(0.95, slips * traits.miss * chances[k - 1])]
    if n_parts and not seen:
        seen = [int(np.argmin(chances)) + 1]
    boxes = ndimage.find_objects(parts)
    outlines = [
        line for k in seen for line in _hand_outlines(rng, parts[boxes[k - 1]] == k, boxes[k - 1], traits=traits)
    ]
    if rng.random() < slips * traits.false_region:
        outlines.append(_false_outline(rng, grid.shape, None if lung is None else _reduced(lung)))
    drawn = _filled(outlines, grid.shape, truth.shape)
    return drawn if drawn.any() else truth.copy()


def imagine(
    rng: np.random.Generator, truth: Mask, traits: ReaderTraits, *, film: Grey | None = None, lung: Mask | None = None
) -> Mask:
    """The mask that the reader has in mind while judging candidates: `draw` at `traits.mental_care`.

    It is imperfect on purpose. A reader who compared with the truth would be an oracle and flatter the protocol.
    """
    return draw(rng, truth, replace(traits, care=traits.mental_care), film=film, lung=lung)


def care_for(
    target_dice: float, truths: Sequence[Mask], traits: ReaderTraits, *, seed: int = 0, n_steps: int = 10
) -> float:
    """The care at which this reader's drawings reach a mean Dice of `target_dice` over `truths`, by bisection.

    Every step draws with the same random numbers, so that only care differs. Forty truths of the films in question
    leave an error of about 0.01, twenty 0.02; blank ones are left out.

    Raises
    ------
    InputError
        If no truth shows infection, or no care in `CARE_RANGE` reaches the target.
    """
    shown = [truth for truth in truths if truth.any()]
    if not shown:
        msg = f"Care is found by drawing; none of the {len(truths)} truths shows any infection."
        raise InputError(msg, hint="Give truths of infected films.")

    def reached(care: float) -> float:
        reader = replace(traits, care=care)
        drawings = (draw(np.random.default_rng([seed, i]), truth, reader) for i, truth in enumerate(shown))
        return float(np.mean([dice(drawing, truth) for drawing, truth in zip(drawings, shown, strict=True)]))

    low, high = CARE_RANGE
    best, worst = reached(low), reached(high)
    if not worst <= target_dice <= best:
        msg = f"A mean Dice of {target_dice} is out of this reader's reach; {worst:.3f} to {best:.3f} is possible."
        raise InputError(msg, hint="Ask for a Dice in that range, or change the reader's traits.")
    for _ in range(n_steps):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) > target_dice else (low, middle)
    return (low + high) / 2


def _reduced(field: npt.NDArray[np.generic]) -> ProbabilityMap:
    """On the working grid; a speck that would vanish there is kept at the pixel where it is strongest."""
    height, width = field.shape
    scale = min(1.0, WORKING_PX / max(height, width))
    small = resample(field.astype(np.float32), max(1, round(height * scale)), max(1, round(width * scale)))
    if 0 < small.max() < 0.5:  # noqa: PLR2004 - majority
        small[np.unravel_index(small.argmax(), small.shape)] = 1.0
    return small


def _miss_chances(parts: Parts, n_parts: int, film: ProbabilityMap | None) -> npt.NDArray[np.float64]:
    """What size and contrast leave of the chance to miss each part: float64 [n_parts] in 0..1."""
    radii = np.sqrt(_sums(parts, n_parts) / np.pi) / max(parts.shape)
    if film is None:
        return np.asarray(np.exp(-radii / SMALL))
    around = ndimage.grey_dilation(parts, size=(9, 9)) * (parts == 0)
    inside, outside = (_sums(where, n_parts, film) / np.maximum(_sums(where, n_parts), 1) for where in (parts, around))
    return np.asarray(np.exp(-radii / SMALL - np.abs(inside - outside) / (film.std() + 1e-6)))


def _sums(parts: Parts, n_parts: int, weights: ProbabilityMap | None = None) -> npt.NDArray[np.float64]:
    """Pixels, or the sum of `weights`, of the parts 1 to `n_parts`."""
    flat = None if weights is None else weights.ravel()
    return np.bincount(parts.ravel(), flat, minlength=n_parts + 1)[1:].astype(np.float64)


def _hand_outlines(
    rng: np.random.Generator, part: Mask, box: tuple[slice, ...], *, traits: ReaderTraits
) -> list[Outline]:
    """Polygons [n, 2] (row, column) around the region in `box`: moved, simplified and shaken, to be filled whole."""
    margin = max(part.shape) // 2 + 3
    padded = np.pad(part, margin)
    distance = ndimage.distance_transform_edt(padded) - ndimage.distance_transform_edt(~padded)
    radius_px = float(distance.max())
    bias = float(np.clip(traits.care * (traits.boundary_bias + rng.normal(0, BIAS_SPREAD)), -0.6, 0.9))
    outlines = []
    for contour in find_contours(distance, -bias * radius_px):
        simple = approximate_polygon(contour, traits.care * traits.polygon_tolerance * radius_px)
        shaken = simple + rng.normal(0, traits.care * traits.vertex_jitter * radius_px, simple.shape)
        outlines.append(shaken + np.array([box[0].start, box[1].start]) - margin)
    return outlines


def _false_outline(rng: np.random.Generator, shape: tuple[int, ...], lung: ProbabilityMap | None) -> Outline:
    height, width = shape
    if lung is not None and lung.any():
        candidates = np.argwhere(lung >= 0.5)  # noqa: PLR2004 - majority
        centre = candidates[rng.integers(len(candidates))].astype(np.float64)
    else:
        centre = rng.uniform(0.25, 0.75, 2) * (height, width)
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    radii = rng.uniform(0.02, 0.05, 2) * max(shape)
    return np.asarray(centre + radii * np.stack([np.sin(turn), np.cos(turn)], axis=1))


def _filled(outlines: Sequence[Outline], grid: tuple[int, ...], shape: tuple[int, ...]) -> Mask:
    """The union of the outlines' insides at the film's size."""
    mask = np.zeros(shape, np.bool_)
    for outline in outlines:
        rows, columns = ((outline + 0.5) * (shape[0] / grid[0], shape[1] / grid[1]) - 0.5).T
        mask[polygon(rows, columns, shape)] = True
    return mask
