"""Test-time augmentation: the mean over several views of a film."""

from functools import partial

import numpy as np
import numpy.typing as npt

from db.domain.mask import ProbabilityMap
from db.domain.recipe import MAX_VIEWS, Variation
from ml_backend.augmentation import Motion, Sampler
from ml_backend.data import Film
from ml_backend.engine import Forward

SHIFT = 0.03
"""Share of the side by which a view is moved."""

TURN_DEG = 4.0


def views(side_px: int, variation: Variation) -> tuple[Motion, ...]:
    """The views in the order in which they are taken; the first is the film as it is.

    A network that learned from mirrored films, as `wide` variation makes them, is asked for a mirrored view next.
    """
    step = SHIFT * side_px
    shifts = [(0.0, step), (0.0, -step), (step, 0.0), (-step, 0.0)]
    moved = [*(Motion.of(shift_px=shift) for shift in shifts), Motion.of(-TURN_DEG), Motion.of(TURN_DEG)]
    mirrored = [Motion.of(zoom=(1, -1))] if variation == "wide" else []
    return (Motion.of(), *mirrored, *moved)[:MAX_VIEWS]


def viewed(forward: Forward, n_views: int, variation: Variation) -> Forward:
    """`forward` over the first `n_views` views of each film: the mean of its maps, each moved back.

    A view is moved by less than training moves films, and its map back by the inverse; beyond the edge the nearest
    pixel is repeated.
    """
    return forward if n_views == 1 else partial(_mean_over_views, forward, n_views, variation)


def _mean_over_views(forward: Forward, n_views: int, variation: Variation, films: Film) -> ProbabilityMap:
    motions = views(films.shape[-1], variation)[:n_views]
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
