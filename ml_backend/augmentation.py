"""More training films out of those that there are."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

MAX_SHIFT = 0.1
"""Share of the side by which a film is shifted at most, along each axis (P26)."""

MAX_ROTATION_DEG = 10.0

Films = npt.NDArray[np.float32]
Masks = npt.NDArray[np.bool_]


def augment(films: npt.NDArray[np.generic], masks: Masks, rng: np.random.Generator) -> tuple[Films, Masks]:
    """Each film and its mask, shifted and rotated at random by one affine transform.

    Parameters
    ----------
    films
        Grey levels 0..255 [n, side, side].
    masks
        bool [n, side, side].

    Returns
    -------
    float32 and bool arrays of the same shapes. Films are interpolated linearly, masks likewise and cut at 0.5; what
    comes in from outside repeats the nearest edge.

    Source: Degerli et al., section IV (P26): shift up to 10 %, rotation up to 10 degrees, fill mode nearest.
    """
    n_films, side, _ = films.shape
    angles = np.deg2rad(rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG, n_films))
    shifts_px = rng.uniform(-MAX_SHIFT, MAX_SHIFT, (n_films, 2)) * side
    moved_films = np.empty(films.shape, np.float32)
    moved_masks = np.empty(masks.shape, np.float32)
    for i in range(n_films):
        _move(films[i], angles[i], shifts_px[i], out=moved_films[i])
        _move(masks[i], angles[i], shifts_px[i], out=moved_masks[i])
    return moved_films, moved_masks >= 0.5  # noqa: PLR2004 - the threshold of every mask


def balance(is_infected: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Row numbers in which infected and other films are equally many.

    Every row occurs; rows of the smaller class are repeated, each as often as the others or once more, at random.
    Where one class is missing there is nothing to balance and every row occurs once.

    Source: Degerli et al., section IV (P27).
    """
    groups = [np.flatnonzero(is_infected), np.flatnonzero(~is_infected)]
    size = max(map(len, groups))
    filled = [np.resize(rng.permutation(rows), size) for rows in groups if len(rows)]
    return np.concatenate(filled)


def _move(image: npt.NDArray[np.generic], angle: float, shift_px: npt.NDArray[np.float64], *, out: Films) -> None:
    """`image` rotated about its centre, then shifted, into `out`."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (np.array(image.shape) - 1) / 2
    ndimage.affine_transform(
        image.astype(np.float32), turn, centre - turn @ (centre + shift_px), order=1, mode="nearest", output=out
    )
