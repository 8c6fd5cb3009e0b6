"""Infection for phantom films, and faintly for real normal ones.

Source: docs/simulation.md, "Phantom film". A lesion is an ellipse with satellites, roughened by
three octaves of noise, with a soft edge; the truth is where any lesion reaches `TRUTH_LEVEL` inside the lung.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from db.domain.errors import InputError
from db.domain.mask import Mask, resample
from pipelines.simulate.canvas import Field, cloud, soft_step, stretch

TRUTH_LEVEL = 0.4
"""Share of a lesion's full strength from which a pixel counts as infected."""

RIM = 0.015
"""Depth in sides over which the lung's air, and with it what a lesion can displace, grows from its outline."""

WORKING_PX = 256
"""Long side of the grid on which lesions are set into real films; they are smooth, so that no more is needed."""

SMALLEST_SHARE = 0.002
"""An infected film shows at least this share of its lung as infected; otherwise its lesions are drawn again."""


@dataclass(frozen=True)
class Preset:
    """How visible lesions are.

    radius, radius_by_severity: median radius in sides of the film, at severity 0 and added at severity 1.
    amplitudes: ranges of attenuation of subtle, middle and dense lesions; shares: how often each occurs.
    edge: range of the soft border's width in lesion radii.
    """

    name: str
    radius: float
    radius_by_severity: float
    amplitudes: tuple[tuple[float, float], ...]
    shares: tuple[float, ...]
    edge: tuple[float, float]


SUBTLE = Preset("subtle", 0.048, 0.040, ((0.05, 0.09), (0.09, 0.18), (0.18, 0.30)), (0.28, 0.47, 0.25), (0.55, 1.3))
CONSPICUOUS = Preset(
    "conspicuous", 0.066, 0.040, ((0.08, 0.12), (0.12, 0.20), (0.20, 0.32)), (0.12, 0.48, 0.40), (0.3, 0.75)
)


@dataclass(frozen=True)
class Lesions:
    """attenuation: float32 [height, width], what lesions add; infection: the truth, bool; severity in 0..1."""

    attenuation: Field
    infection: Mask
    severity: float


def no_lesions(lung: Mask) -> Lesions:
    """The healthy case."""
    return Lesions(np.zeros(lung.shape, np.float32), np.zeros_like(lung), 0.0)


def make_lesions(rng: np.random.Generator, lung: Mask, preset: Preset) -> Lesions:
    """Lesions for a film whose visible lung is `lung`, bool [height, width]; the unit of length is the longer side.

    Raises
    ------
    InputError
        If the lung is blank.
    """
    if not lung.any():
        msg = "Lesions need a lung to lie in; this lung mask is blank."
        raise InputError(msg, hint="Give the film's lung mask, at the film's size.")
    severity = float(rng.beta(1.3, 1.9))
    while True:
        attenuation, infection = _drawn(rng, lung, preset, severity=severity)
        if np.count_nonzero(infection) >= max(1, SMALLEST_SHARE * np.count_nonzero(lung)):
            return Lesions(attenuation, infection, severity)


def set_lesions(
    rng: np.random.Generator, film: npt.NDArray[np.uint8], lung: Mask, *, strength: float, preset: Preset = SUBTLE
) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Set lesions into a real normal film.

    Parameters
    ----------
    film, lung
        uint8 and bool [height, width].
    strength
        0.1 to 0.4 is faint. Negatives must go through this function too, with 0, so that the chain leaves no trace.

    Returns
    -------
    The film, uint8 [height, width], and its truth, bool [height, width], blank at strength 0.
    """
    height, width = film.shape
    scale = min(1.0, WORKING_PX / max(height, width))
    small = resample(lung.astype(np.float32), round(height * scale), round(width * scale)) >= 0.5  # noqa: PLR2004 - majority
    lesions = make_lesions(rng, small, preset)
    veil = stretch(strength * lesions.attenuation / preset.amplitudes[-1][1], film.shape).clip(0, 1)
    clear = film.astype(np.float32)
    contrast = np.subtract(*np.percentile(film[::4, ::4], (95, 5)))
    hazy = ndimage.gaussian_filter(clear, 0.008 * max(height, width), truncate=2) + np.float32(contrast)
    out = clear + veil * (hazy - clear) + rng.normal(0, 0.5, film.shape)
    truth = (stretch(lesions.infection.astype(np.float32), film.shape) >= 0.5) & lung & (strength > 0)  # noqa: PLR2004 - as above
    return np.asarray(np.clip(np.rint(out), 0, 255), np.uint8), np.asarray(truth)


def _drawn(rng: np.random.Generator, lung: Mask, preset: Preset, *, severity: float) -> tuple[Field, Mask]:
    side_px = max(lung.shape)
    ceiling = np.float32(preset.amplitudes[-1][1])
    clear = np.ones(lung.shape, np.float32)
    infection = np.zeros_like(lung)
    median = preset.radius + preset.radius_by_severity * severity
    for row, column in _centres(rng, lung, severity=severity):
        radius_px = float(median * np.exp(rng.normal(0, 0.28)) * side_px)
        patch = _lesion(rng, radius_px, edge=rng.uniform(*preset.edge))
        amplitude = np.float32(rng.uniform(*preset.amplitudes[rng.choice(3, p=preset.shares)]))
        there, here = _overlap(lung.shape, patch.shape, (int(row), int(column)))
        texture = 1 + 0.15 * cloud(rng, patch.shape, n_cells=6, n_octaves=2)[here]
        clear[there] *= 1 - np.clip(patch[here] * texture * amplitude / ceiling, 0, 1)
        infection[there] |= patch[here] >= TRUTH_LEVEL
    air = 1 - np.exp(-ndimage.distance_transform_edt(lung) / (RIM * side_px))
    return np.asarray(ceiling * (1 - clear) * air, np.float32), infection & lung


def _centres(rng: np.random.Generator, lung: Mask, *, severity: float) -> npt.NDArray[np.int64]:
    """Rows and columns [n, 2] inside the lung, likelier far from the midline and low; often on both sides."""
    n_lesions = 1 + rng.poisson(0.8 + 5.5 * severity)
    rows, columns = np.nonzero(lung)
    across = columns / lung.shape[1] - 0.5
    down = (rows - rows.min()) / (np.ptp(rows) + 1)
    weight = (0.25 + np.abs(across) / np.abs(across).max()) * (0.35 + down)
    if rng.random() >= 0.55 + 0.4 * np.sqrt(severity):
        kept = (across > 0) == (rng.random() < 0.5)  # noqa: PLR2004 - a fair coin
        weight = weight * kept if kept.any() else weight
    chosen = rng.choice(len(rows), size=n_lesions, p=weight / weight.sum())
    return np.stack([rows[chosen], columns[chosen]], axis=1)


def _lesion(rng: np.random.Generator, radius_px: float, *, edge: float) -> Field:
    """One lesion on a patch of its own, float32 [n, n] in 0..1: an ellipse, 1 to 4 satellites, rough and soft."""
    half = int(np.ceil(2.6 * radius_px)) + 1
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float32) / np.float32(radius_px)
    parts = [_inside(rng, x, y, size=1.0)]
    for _ in range(rng.integers(1, 5)):
        turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.2)
        parts.append(_inside(rng, x - reach * np.cos(turn), y - reach * np.sin(turn), size=rng.uniform(0.3, 0.65)))
    rough = np.maximum.reduce(parts) + 0.22 * cloud(rng, x.shape, n_cells=7, n_octaves=3)
    vanishing = soft_step(2.5 - np.hypot(x, y), 0.6)  # no square corner of the patch may show
    return np.asarray(soft_step(rough, edge) * vanishing, np.float32)


def _inside(rng: np.random.Generator, x: Field, y: Field, *, size: float) -> Field:
    """How far inside an ellipse a point lies: `size` in its middle, 0 on its edge, negative beyond."""
    turn, squash = rng.uniform(0, np.pi), rng.uniform(0.6, 1.0)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return np.asarray(size - np.hypot(along, across / squash), np.float32)


def _overlap(
    whole: tuple[int, ...], patch: tuple[int, ...], centre: tuple[int, int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where a patch about `centre` lands: slices of the whole, and the same part as slices of the patch."""
    starts = [middle - size // 2 for middle, size in zip(centre, patch, strict=True)]
    cuts = [(max(0, a), min(n, a + size)) for a, n, size in zip(starts, whole, patch, strict=True)]
    there = tuple(slice(low, high) for low, high in cuts)
    return there, tuple(slice(low - a, high - a) for (low, high), a in zip(cuts, starts, strict=True))
