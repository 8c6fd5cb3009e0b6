"""Where a phantom's anatomy is put on pixels: body coordinates, smooth outlines, strokes, blurs and noise.

Body coordinates have the film's side as their unit: x is 0 on the midline and grows to the right of the image (the
patient's left), y is 0 at the top and 1 at the bottom.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import CubicSpline

from db.domain.mask import resample

Field = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

OVERSAMPLING = 2
"""Outlines and strokes are drawn this many times larger, then averaged down: Pillow draws without anti-aliasing."""


class Stroke(NamedTuple):
    """A line through body points [n, 2], its width in sides and its value in 0..1."""

    points: Points
    width: float
    value: float


@dataclass(frozen=True)
class Canvas:
    """A square film and the patient's pose on it.

    Parameters
    ----------
    side_px
        Pixels along a side.
    angle_rad, scale, shift
        Turn, magnification and offset (x, y) in sides of the body about the middle of the film.
    """

    side_px: int
    angle_rad: float
    scale: float
    shift: tuple[float, float]

    @classmethod
    def posed(cls, rng: np.random.Generator, side_px: int) -> Self:
        """A patient who stands a little askew."""
        shift = (float(rng.normal(0, 0.012)), float(rng.normal(0, 0.012)))
        return cls(side_px, float(np.deg2rad(rng.normal(0, 1.4))), float(rng.uniform(0.97, 1.05)), shift)

    @cached_property
    def grid(self) -> tuple[Field, Field]:
        """Body coordinates x and y of every pixel, each float32 [side, side]."""
        centres = (np.arange(self.side_px) + 0.5) / self.side_px - 0.5
        across, down = np.meshgrid(centres - self.shift[0], centres - self.shift[1])
        cos, sin = np.cos(self.angle_rad) / self.scale, np.sin(self.angle_rad) / self.scale
        return (across * cos + down * sin).astype(np.float32), (down * cos - across * sin + 0.5).astype(np.float32)

    def to_px(self, points: Points) -> Points:
        """Body points [n, 2] in pixels (x, y) of the film."""
        cos, sin = np.cos(self.angle_rad) * self.scale, np.sin(self.angle_rad) * self.scale
        x, y = points[:, 0], points[:, 1] - 0.5
        placed = np.stack([x * cos - y * sin + self.shift[0], x * sin + y * cos + self.shift[1]], axis=1)
        return np.asarray((placed + 0.5) * self.side_px)

    def fill(self, outline: Points) -> Field:
        """How much of each pixel lies inside a closed outline of body points [n, 2]: float32 [side, side] in 0..1."""
        image, pen = self._blank()
        pen.polygon(_flat(self.to_px(outline) * OVERSAMPLING), fill=255)
        return self._averaged(image)

    def stroke(self, strokes: Iterable[Stroke]) -> Field:
        """Lines painted over one another, the widest last: float32 [side, side] in 0..1."""
        image, pen = self._blank()
        size_px = self.side_px * OVERSAMPLING * self.scale
        ordered = sorted(strokes, key=lambda stroke: stroke.width)
        placed = _flat(self.to_px(np.concatenate([stroke.points for stroke in ordered])) * OVERSAMPLING)
        ends = np.cumsum([len(stroke.points) for stroke in ordered])
        for (points, width, value), end in zip(ordered, ends, strict=True):
            line = placed[end - len(points) : end]
            pen.line(line, fill=round(255 * value), width=max(1, round(width * size_px)), joint="curve")
        return self._averaged(image)

    def ellipse(self, centre: Sequence[float], radii: Sequence[float], *, tilt_rad: float = 0.0) -> Field:
        """Distance from an ellipse's centre in units of its radius: 0 in the middle, 1 on the edge."""
        x, y = self.grid[0] - np.float32(centre[0]), self.grid[1] - np.float32(centre[1])
        cos, sin = np.float32(np.cos(tilt_rad)), np.float32(np.sin(tilt_rad))
        return np.hypot((x * cos + y * sin) / np.float32(radii[0]), (y * cos - x * sin) / np.float32(radii[1]))

    def blur(self, field: Field, width: float) -> Field:
        """Gaussian of `width` sides; wide ones are taken at a quarter of the size, where they cost a sixteenth."""
        sigma_px = width * self.side_px
        if sigma_px < 4 * OVERSAMPLING:
            return ndimage.gaussian_filter(field, sigma_px, mode="nearest", truncate=3)
        quarter = resample(field, self.side_px // 4, self.side_px // 4)
        return stretch(ndimage.gaussian_filter(quarter, sigma_px / 4, mode="nearest", truncate=3), field.shape)

    def _blank(self) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        image = Image.new("L", (self.side_px * OVERSAMPLING,) * 2)
        return image, ImageDraw.Draw(image)

    def _averaged(self, image: Image.Image) -> Field:
        return np.asarray(image.reduce(OVERSAMPLING), np.float32) / np.float32(255)


def spline(knots: npt.ArrayLike, n_points: int, *, closed: bool = False) -> Points:
    """A smooth curve through knots [n, 2]: float64 [n_points, 2], spaced by the knots' distances to the power 0.5.

    The centripetal spacing is what keeps narrow corners, such as the costophrenic angle, from overshooting in a loop.
    """
    corners = np.asarray(knots, np.float64)
    if closed:
        corners = np.concatenate([corners, corners[:1]])
    steps = np.sqrt(np.linalg.norm(np.diff(corners, axis=0), axis=1))
    at = np.concatenate([[0.0], np.cumsum(steps)])
    curve = CubicSpline(at, corners, bc_type="periodic" if closed else "natural")
    return np.asarray(curve(np.linspace(0, at[-1], n_points)))


def stretch(field: Field, shape: tuple[int, ...]) -> Field:
    """`field` enlarged to `shape` by bicubic interpolation: smooth, where bilinear would show its grid."""
    image = Image.fromarray(field).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, np.float32)


def cloud(rng: np.random.Generator, shape: tuple[int, ...], *, n_cells: int, n_octaves: int) -> Field:
    """Smooth noise about 0 with a standard deviation near 1: octaves from `n_cells` a side, each half as strong."""
    total = np.zeros(shape, np.float32)
    for octave in range(n_octaves):
        cells = rng.normal(size=(n_cells << octave, n_cells << octave)).astype(np.float32)
        total += stretch(cells, shape) * np.float32(0.5**octave)
    return total


def soft_step(field: Field, width: float) -> Field:
    """0 to 1 as `field` passes 0, a smooth ramp over `width` of its units."""
    t = np.clip(field / np.float32(width) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def _flat(points: Points) -> list[tuple[float, float]]:
    return [(x, y) for x, y in points.tolist()]
