"""Infection maps: where a network sees infection, in colour over the film.

Source: Degerli et al., Fig. 5 and section II-D (P39).
"""

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, hsv_to_rgb, rgb_to_hsv

from db.domain.errors import InputError
from db.domain.mask import resample

Picture = npt.NDArray[np.uint8]

USUAL_FLOOR = 0.05
"""What our maps are rendered with: a sigmoid is almost never exactly 0, the paper's floor (P39)."""

_WHITE = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0, "float64": 1.0}


def _at_full_value(name: str) -> ListedColormap:
    """A colour map with the value of each of its colours in HSV raised to 1.

    RGB is proportional to value while hue and saturation stay, so this times the film's value is the film's value
    put in place of the map's: the paper's conversion to HSV and back, without making it for each pixel.
    """
    colours = colormaps[name]
    hsv = rgb_to_hsv(colours(np.arange(colours.N))[:, :3])
    hsv[:, 2] = 1
    return ListedColormap(hsv_to_rgb(hsv))


_VIVID_JET = _at_full_value("jet")


def render(film: npt.NDArray[np.generic], probability: npt.NDArray[np.floating], *, floor: float = 0.0) -> Picture:
    """The film with hue and saturation of the jet-coloured probability, and its own value.

    Parameters
    ----------
    film
        uint8, uint16 or float in 0..1; grey [height, width], or colour [height, width, 3] whose HSV value counts.
    probability
        Float in 0..1 [any height, any width] over the whole film. Of another size than the film it is resampled to
        it as every map is: bilinear where it grows, area average where it shrinks (`db.domain.mask.resample`).
    floor
        Pixels of at most this probability show the film itself. 0 is the paper's rule; as a sigmoid is almost never
        exactly 0, a floor of 0.01 to 0.1 keeps the rest of the film grey.

    Returns
    -------
    uint8 RGB [height, width, 3] at the film's size. Where the film is black the map is black.

    Raises
    ------
    InputError
        If an array has another shape, type or range, or the floor lies outside 0..1.
    """
    colour = _unit_colour(film)
    chance = _at_size(probability, colour.shape[0], colour.shape[1])
    if not 0 <= floor <= 1:
        msg = f"The floor was {floor}; it is a probability, 0 to 1."
        raise InputError(msg)
    imposed = _VIVID_JET(chance)[..., :3] * colour.max(axis=-1, keepdims=True)
    shown = np.where((chance <= floor)[..., None], colour, imposed)
    picture: Picture = np.rint(shown * 255).astype(np.uint8)
    return picture


def _unit_colour(film: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """The film as float RGB in 0..1."""
    if film.ndim in {0, 1} or film.shape[2:] not in {(), (3,)} or film.dtype.name not in _WHITE:
        msg = f"The film is {film.dtype} {film.shape}."
        raise InputError(msg, hint=f"It must be [height, width] or [height, width, 3] of {', '.join(_WHITE)}.")
    unit = _checked(film.astype(np.float64) / _WHITE[film.dtype.name], "film")
    return unit if film.shape[2:] else np.broadcast_to(unit[..., None], (*unit.shape, 3))


def _at_size(probability: npt.NDArray[np.floating], height: int, width: int) -> npt.NDArray[np.float64]:
    """The map at the film's size, as floats: jet takes whole numbers for indices."""
    if probability.ndim != 2:  # noqa: PLR2004 - height and width
        msg = f"The probability map has shape {probability.shape}."
        raise InputError(msg, hint="It must be [height, width].")
    chance = _checked(probability.astype(np.float64), "probability map")
    if chance.shape == (height, width):
        return chance
    return np.clip(resample(chance.astype(np.float32), height, width).astype(np.float64), 0, 1)


def _checked(values: npt.NDArray[np.float64], name: str) -> npt.NDArray[np.float64]:
    if values.size == 0 or not (values.min() >= 0 and values.max() <= 1):  # a nan fails both
        bounds = f"{values.min()} to {values.max()}" if values.size else "nothing"
        msg = f"The {name} must hold numbers in 0..1; it holds {bounds}."
        raise InputError(msg)
    return values
