"""Test-time augmentation: the mean over several views of a film."""

from functools import partial

import numpy as np
import numpy.typing as npt

from db.domain.mask import ProbabilityMap
from ml_backend.augmentation import Motion, Sampler
from ml_backend.data import Film
from ml_backend.engine import Forward

SHIFT = 0.03
"""Share of the side by which a view is moved."""

TURN_DEG = 4.0


def views(side_px: int) -> tuple[Motion, ...]:
    """The views in the order in which they are taken; the first is the film as it is."""
    step = SHIFT * side_px
    shifts = [(0.0, step), (0.0, -step), (step, 0.0), (-step, 0.0)]
    turns = (-TURN_DEG, TURN_DEG)
    return (Motion.of(), *(Motion.of(shift_px=shift) for shift in shifts), *(Motion.of(angle) for angle in turns))


def viewed(forward: Forward, n_views: int) -> Forward:
    """`forward` over `n_views` views of each film."""
    return forward if n_views == 1 else partial(predict_views, forward, n_views=n_views)


def predict_views(forward: Forward, films: Film, n_views: int) -> ProbabilityMap:
    """The mean of what `forward` makes of `n_views` views of each film, each map moved back; at most 7 are taken.

    A view is moved by less than training moves films, and its map back by the inverse; beyond the edge the nearest
    pixel is repeated.
    """
    motions = views(films.shape[-1])[:n_views]
    total = np.zeros(films.shape, np.float32)
    for motion in motions:
        moved = np.rint(_move(films, motion)).astype(np.uint8)
        total += _move(forward(moved), motion.inverse)
    return total / np.float32(len(motions))


def _move(images: npt.NDArray[np.generic], motion: Motion) -> ProbabilityMap:
    sampler = Sampler(images.shape[-1])
    sampler.aim(motion)
    moved = np.empty(images.shape, np.float32)
    for image, out in zip(images, moved, strict=True):
        sampler.linear(image, out=out)
    return moved
