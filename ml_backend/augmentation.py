"""More training films out of those that there are."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from db.domain.recipe import Variation

MAX_SHIFT = 0.1
"""Share of the side by which a film is shifted at most, along each axis (P26)."""

MAX_ROTATION_DEG = 10.0

MAX_ZOOM, MAX_STRETCH = 0.15, 0.07
"""Natural logarithms: of the zoom of both axes, and of each axis besides."""

MAX_GAMMA = 0.5
"""Natural logarithm of the exponent of grey levels."""

MAX_CONTRAST = 6.0
"""Steepness of the sigmoid that half of the exposures pass through."""

FRACTION_BITS = 15
"""Places are whole numbers in steps of 1 / 2**15 pixel: exact enough, and twice as fast as floats."""

ONE_PX = 1 << FRACTION_BITS

Image = npt.NDArray[np.generic]
Films = npt.NDArray[np.float32]
Masks = npt.NDArray[np.bool_]
Film = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Motion:
    """An affine transform of a film about its centre.

    Attributes
    ----------
    turn
        The matrix [2, 2] from places (row, column) after the motion to places before it.
    shift_px
        How far the film is moved down and to the right [2], after it was turned.
    """

    turn: Matrix
    shift_px: Matrix

    @classmethod
    def of(
        cls, angle_deg: float = 0.0, shift_px: npt.ArrayLike = (0.0, 0.0), *, zoom: npt.ArrayLike = (1.0, 1.0)
    ) -> Self:
        """A rotation, after the film's rows and columns were zoomed (a negative zoom mirrors), and then a shift."""
        angle = np.deg2rad(angle_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return cls(np.diag(1 / np.asarray(zoom, np.float64)) @ turn, np.asarray(shift_px, np.float64))

    @classmethod
    def random(cls, side_px: int, rng: np.random.Generator, variation: Variation = "paper") -> Self:
        """Any motion within the paper's bounds (P26); a wide variation also zooms, stretches and mirrors."""
        angle_deg = rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG)
        shift_px = rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * side_px
        if variation == "paper":
            return cls.of(angle_deg, shift_px)
        zoom = np.exp(rng.uniform(-MAX_ZOOM, MAX_ZOOM) + rng.uniform(-MAX_STRETCH, MAX_STRETCH, 2))
        return cls.of(angle_deg, shift_px, zoom=zoom * (1, rng.choice((-1, 1))))

    @property
    def inverse(self) -> "Motion":
        """The motion that brings a moved film back, but for what went over the edge."""
        return Motion(np.linalg.inv(self.turn), -self.turn @ self.shift_px)


class Sampler:
    """Moves square films of one size. It works in arrays of its own, which saves half of the time; not for threads."""

    def __init__(self, side_px: int) -> None:
        shape = (side_px, side_px)
        self._side_px = side_px
        self._rows, self._columns, self._whole, self._more = (np.empty(shape, np.int32) for _ in range(4))
        self._corner, self._pixel = (np.empty(shape, np.intp) for _ in range(2))
        self._down, self._across, self._right, self._below, self._diagonal = (
            np.empty(shape, np.float32) for _ in range(5)
        )
        self._padded = np.empty((side_px + 1, side_px + 1), np.float32)

    def aim(self, motion: Motion) -> None:
        """Find where each pixel of a film moved by `motion` comes from; what lies outside repeats the nearest edge."""
        centre = (self._side_px - 1) / 2
        start = centre - motion.turn @ (centre + motion.shift_px)
        for places, slopes, first in zip((self._rows, self._columns), motion.turn, start, strict=True):
            self._find(places, slopes, first)
        self._index(self._rows, self._columns, self._side_px + 1, out=self._corner)
        for places, share in ((self._rows, self._down), (self._columns, self._across)):
            np.bitwise_and(places, ONE_PX - 1, out=self._whole)
            np.copyto(share, self._whole)
            np.multiply(share, np.float32(1 / ONE_PX), out=share)
            np.add(places, ONE_PX // 2, out=places)  # from here on they are for the nearest pixel

    def linear(self, image: Image, out: Films) -> None:
        """`image` [side, side] moved, interpolated linearly between its pixels, into `out`."""
        side, padded = self._side_px, self._padded
        padded[:side, :side] = image  # and a further row and column, that of the last again
        padded[:side, side] = padded[:side, side - 1]
        padded[side] = padded[side - 1]
        corners = {0: out, 1: self._right, side + 1: self._below, side + 2: self._diagonal}
        for step, values in corners.items():
            padded.ravel()[step:].take(self._corner, mode="clip", out=values)
        _blend(out, self._right, self._across)
        _blend(self._below, self._diagonal, self._across)
        _blend(out, self._below, self._down)

    def nearest(self, mask: Masks, out: Masks) -> None:
        """`mask` [side, side] moved, at the nearest pixel, into `out`."""
        if not mask.any():
            out[...] = False
            return
        self._index(self._rows, self._columns, self._side_px, out=self._pixel)
        mask.ravel().take(self._pixel, mode="clip", out=out)

    def _find(self, places: npt.NDArray[np.int32], slopes: npt.NDArray[np.float64], first: float) -> None:
        """Rows or columns that the pixels come from, in steps of 1 / ONE_PX pixel, within the film."""
        steps = np.arange(self._side_px) * ONE_PX
        down = np.rint(steps * slopes[0] + first * ONE_PX).astype(np.int32)
        across = np.rint(steps * slopes[1]).astype(np.int32)
        np.add(down[:, None], across, out=places)
        places.clip(np.int32(0), np.int32((self._side_px - 1) * ONE_PX), out=places)

    def _index(
        self, rows: npt.NDArray[np.int32], columns: npt.NDArray[np.int32], width: int, *, out: npt.NDArray[np.intp]
    ) -> None:
        """Whole rows and columns as indices of an image `width` pixels wide, flattened."""
        np.right_shift(rows, FRACTION_BITS, out=self._whole)
        self._whole *= width
        self._whole += np.right_shift(columns, FRACTION_BITS, out=self._more)
        out[...] = self._whole


def augment(
    films: Film, masks: Masks, rng: np.random.Generator, *, variation: Variation = "paper"
) -> tuple[Films, Masks]:
    """Each film and its mask, moved at random by one affine transform.

    Parameters
    ----------
    films
        Grey levels uint8 [n, side, side].
    masks
        bool [n, side, side].
    variation
        `paper`: shifted by up to 10 %, rotated by up to 10 degrees. `wide`: besides, mirrored, zoomed, and exposed
        otherwise, for sets of few films.

    Returns
    -------
    float32 and bool arrays of the same shapes. Films are interpolated linearly, masks taken at the nearest pixel; what
    comes in from outside repeats the nearest edge.

    Source: Degerli et al., section IV (P26): shift, rotation, fill mode nearest. The wide variation is ours.
    """
    side_px = films.shape[-1]
    sampler = Sampler(side_px)
    moved_films, moved_masks = np.empty(films.shape, np.float32), np.empty(masks.shape, np.bool_)
    for film, mask, moved_film, moved_mask in zip(films, masks, moved_films, moved_masks, strict=True):
        sampler.aim(Motion.random(side_px, rng, variation))
        sampler.linear(expose(film, rng) if variation == "wide" else film, out=moved_film)
        sampler.nearest(mask, out=moved_mask)
    return moved_films, moved_masks


def expose(film: Film, rng: np.random.Generator) -> Films:
    """`film` uint8 [side, side] as if taken and processed otherwise: another gamma, at times another contrast.

    The levels between its first and last hundredth are spread over 0..255 before.
    """
    n_darker = np.bincount(film[::4, ::4].ravel(), minlength=256).cumsum()
    dark, bright = np.searchsorted(n_darker, (0.01 * n_darker[-1], 0.99 * n_darker[-1]))
    levels = np.clip((np.arange(256) - dark) / max(bright - dark, 1.0), 0, 1)
    levels **= np.exp(rng.uniform(-MAX_GAMMA, MAX_GAMMA))
    if rng.random() < 0.5:  # noqa: PLR2004 - a coin
        steepness = rng.uniform(1, MAX_CONTRAST)
        black, white, levels = (1 / (1 + np.exp(-steepness * (x - 0.5))) for x in (0.0, 1.0, levels))
        levels = (levels - black) / (white - black)
    return (levels * 255).astype(np.float32).take(film)


def balance(is_infected: Masks, rng: np.random.Generator) -> tuple[npt.NDArray[np.intp], Masks]:
    """Row numbers in which infected and other films are equally many, and which of them are repeats.

    Every row occurs once as it is; rows of the smaller class are repeated, each as often as the others or once more, at
    random. Where one class is missing there is nothing to balance.

    Source: Degerli et al., section IV (P27). Departure: repeats are drawn anew for every epoch; the paper made its
    augmented films once.
    """
    groups = [np.flatnonzero(is_infected), np.flatnonzero(~is_infected)]
    size = max(map(len, groups))
    kept = [rows for rows in groups if len(rows)]
    filled = [np.resize(rng.permutation(rows), size) for rows in kept]
    is_repeat = [np.arange(size) >= len(rows) for rows in kept]
    return np.concatenate(filled), np.concatenate(is_repeat)


def _blend(image: Films, other: Films, share: Films) -> None:
    """Make `image` the mean of both in which `other` weighs `share`; `other` is spent. Fresh arrays would double it."""
    other -= image
    other *= share
    image += other
