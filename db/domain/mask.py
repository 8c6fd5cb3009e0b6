"""Masks, and the one function that makes what a reader sees and accepts out of any origin.

Its budget is in `docs/method.md`. A drawing at the film's size and a probability
map at a network's size pass through the same resampling, the same light low-pass and the same threshold, so that an
edge does not tell who drew it.
"""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from db.domain.errors import InputError

Mask = npt.NDArray[np.bool_]
ProbabilityMap = npt.NDArray[np.float32]

GRID_PX = 448
"""Long side of the canonical grid."""

LOW_PASS_PX = 1.0
"""Standard deviation of the Gaussian, in pixels of the canonical grid."""

THRESHOLD = 0.5


def grid_shape(height: int, width: int) -> tuple[int, int]:
    """The canonical grid [height, width] of a film: its long side is `GRID_PX`, its aspect that of the film."""
    scale = GRID_PX / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def canonical_field(source: npt.NDArray[np.generic], height: int, width: int) -> ProbabilityMap:
    """The smooth field behind a canonical mask.

    Parameters
    ----------
    source
        bool mask or float probability map [any height, any width] that covers the whole film.
    height, width
        The film's size in pixels.

    Returns
    -------
    float32 [grid height, grid width] in 0..1: area average down, bilinear up, then a Gaussian of `LOW_PASS_PX`.
    """
    grid = resample(source.astype(np.float32), *grid_shape(height, width))
    return ndimage.gaussian_filter(grid, LOW_PASS_PX, mode="nearest")


def canonical_grid_mask(source: npt.NDArray[np.generic], height: int, width: int) -> Mask:
    """What a reader is shown: bool [grid height, grid width]."""
    return canonical_field(source, height, width) >= THRESHOLD


def canonical_mask(source: npt.NDArray[np.generic], height: int, width: int) -> Mask:
    """What becomes final when the reader accepts: bool [height, width], the shown field at the film's size."""
    return resample(canonical_field(source, height, width), height, width) >= THRESHOLD


def resample(field: ProbabilityMap, height: int, width: int) -> ProbabilityMap:
    """`field` at another size: along each axis area average when it shrinks, linear interpolation when it grows."""
    for axis, size in enumerate((height, width)):
        field = _resample_axis(field, size, axis)
    return field


def dice(a: Mask, b: Mask) -> float:
    """Dice coefficient of two masks of one shape; two empty masks agree fully (1.0)."""
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 1.0 if total == 0 else 2.0 * int(np.count_nonzero(a & b)) / total


def pack(mask: Mask) -> bytes:
    """Row-major bits, most significant first, padded with zeros to whole bytes."""
    return np.packbits(mask).tobytes()


def unpack(bits: bytes, height: int, width: int) -> Mask:
    """The inverse of `pack`.

    Raises
    ------
    InputError
        If the length is not that of a [height, width] mask.
    """
    expected = packed_length(height, width)
    if len(bits) != expected:
        msg = f"A {width}x{height} mask takes {expected} bytes, {len(bits)} were received."
        raise InputError(msg, hint="Send one bit a pixel, row by row, at the film's size.")
    flat = np.unpackbits(np.frombuffer(bits, np.uint8), count=height * width)
    return flat.astype(np.bool_).reshape(height, width)


def packed_length(height: int, width: int) -> int:
    """Bytes that `pack` makes of a [height, width] mask."""
    return (height * width + 7) // 8


def _resample_axis(field: ProbabilityMap, size: int, axis: int) -> ProbabilityMap:
    old = field.shape[axis]
    if size == old:
        return field
    moved = np.moveaxis(field, axis, 0)
    resampled = _area_average(moved, size) if size < old else _interpolate(moved, size)
    return np.moveaxis(resampled, 0, axis)


def _area_average(field: ProbabilityMap, size: int) -> ProbabilityMap:
    """Mean over `size` equal intervals of axis 0, exact for fractional edges: differences of the running integral."""
    old = field.shape[0]
    integral = np.concatenate([np.zeros((1, *field.shape[1:])), np.cumsum(field, axis=0, dtype=np.float64)])
    edges = np.linspace(0, old, size + 1)
    whole = np.minimum(edges.astype(np.int64), old - 1)
    at_edges = integral[whole] + (edges - whole)[:, None] * field[whole]
    averaged: ProbabilityMap = (np.diff(at_edges, axis=0) * (size / old)).astype(np.float32)
    return averaged


def _interpolate(field: ProbabilityMap, size: int) -> ProbabilityMap:
    """Linear between pixel centres; the outermost half pixel repeats its neighbour."""
    old = field.shape[0]
    centres = np.clip((np.arange(size) + 0.5) * (old / size) - 0.5, 0, old - 1)
    below = np.minimum(centres.astype(np.int64), max(old - 2, 0))
    weight = (centres - below).astype(np.float32)[:, None]
    above = np.minimum(below + 1, old - 1)
    interpolated: ProbabilityMap = field[below] * (1 - weight) + field[above] * weight
    return interpolated
