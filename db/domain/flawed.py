"""Flawed copies of a right mask, for check and practice cases: what a careful reader does not accept.

Films have no spacing, so millimetres are assumed: a film's long side is taken for 400 mm.
"""

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
from scipy import ndimage

from db.domain.candidate import EQUAL_DICE
from db.domain.errors import InputError
from db.domain.mask import Mask, dice

LONG_SIDE_MM = 400.0
"""Assumed size of a film; a detector for the chest is 350 x 430 mm."""

DILATION_MM = 10.0
SHIFT_MM = 20.0

VISIBLE_DICE = 0.9
"""A flaw is plain only where the flawed mask stays below this Dice against the right one."""


def px_per_mm(height: int, width: int) -> float:
    """Pixels a millimetre on a film of [height, width] pixels whose long side is `LONG_SIDE_MM`."""
    return max(height, width) / LONG_SIDE_MM


def miss_half(mask: Mask, *, axis: int, keep_first: bool) -> Mask:
    """`mask` without what lies beyond the middle of its extent along `axis`: a missed lobe or lung.

    Parameters
    ----------
    mask
        bool [height, width].
    axis
        0 cuts top from bottom, 1 left from right.
    keep_first
        Whether the part with the smaller coordinates stays.
    """
    along = np.flatnonzero(mask.any(axis=1 - axis))
    if not along.size:
        return mask.copy()
    is_first = np.arange(mask.shape[axis]) < (along[0] + along[-1] + 1) / 2
    kept = is_first if keep_first else ~is_first
    half: Mask = mask & (kept[:, None] if axis == 0 else kept[None, :])
    return half


def miss_component(mask: Mask) -> Mask:
    """`mask` without its largest connected part; unchanged where there is only one."""
    labels, n_parts = ndimage.label(mask)
    if n_parts < 2:  # noqa: PLR2004 - nothing would be left
        return mask.copy()
    sizes = np.bincount(labels.ravel())[1:]
    kept: Mask = mask & (labels != 1 + int(np.argmax(sizes)))
    return kept


def dilate(mask: Mask, distance_mm: float = DILATION_MM) -> Mask:
    """`mask` grown by a distance on all sides."""
    if not mask.any():
        return mask.copy()
    grown: Mask = ndimage.distance_transform_edt(~mask) <= distance_mm * px_per_mm(*mask.shape)
    return grown


def shift(mask: Mask, *, down_mm: float = 0.0, right_mm: float = 0.0) -> Mask:
    """`mask` moved; what leaves the film is lost."""
    scale = px_per_mm(*mask.shape)
    moved: Mask = ndimage.shift(mask, (round(down_mm * scale), round(right_mm * scale)), order=0, cval=False)
    return moved


def add_mirrored(mask: Mask) -> Mask:
    """`mask` with its mirror image in the other half of the film besides: infection where there is none."""
    return np.asarray(mask | mask[:, ::-1])


FLAWS: tuple[Callable[[Mask], Mask], ...] = (
    lambda mask: miss_half(mask, axis=0, keep_first=True),
    lambda mask: miss_half(mask, axis=0, keep_first=False),
    lambda mask: miss_half(mask, axis=1, keep_first=True),
    lambda mask: miss_half(mask, axis=1, keep_first=False),
    miss_component,
    dilate,
    lambda mask: shift(mask, down_mm=SHIFT_MM),
    lambda mask: shift(mask, down_mm=-SHIFT_MM),
    lambda mask: shift(mask, right_mm=SHIFT_MM),
    lambda mask: shift(mask, right_mm=-SHIFT_MM),
    add_mirrored,
)
"""Every flaw: bool [height, width] to the same."""


def flawed_masks(right: Mask, n: int, rng: np.random.Generator) -> list[Mask]:
    """`n` different flawed copies of a right mask, flaws in random order.

    None is empty, none reaches a Dice of `VISIBLE_DICE` against the right one or of `EQUAL_DICE` against another.

    Raises
    ------
    InputError
        If the mask does not allow so many: it is empty, or so large that no flaw shows.
    """
    found: list[Mask] = []
    for candidate in _in_random_order(right, rng):
        if len(found) == n:
            break
        is_plain = candidate.any() and dice(candidate, right) < VISIBLE_DICE
        if is_plain and all(dice(candidate, other) < EQUAL_DICE for other in found):
            found.append(candidate)
    if len(found) < n:
        msg = f"A mask of {int(right.sum())} pixels allows {len(found)} flawed copies, {n} are needed."
        raise InputError(msg, hint="Take another right mask.")
    return found


def _in_random_order(right: Mask, rng: np.random.Generator) -> Iterator[Mask]:
    """Single flaws first, then two in a row, for masks on which few flaws show."""
    order = rng.permutation(len(FLAWS))
    yield from (FLAWS[i](right) for i in order)
    yield from (FLAWS[j](FLAWS[i](right)) for i, j in combinations(order, 2))
