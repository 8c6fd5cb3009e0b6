"""Severity of an infection: how much of the lungs it covers, per lung and zone.

The paper claims grading without a formula (P40). Here a lung's extent is scored by quarters, the geographic extent of
Wong et al. (2020) and Cohen et al. (2020): 0 none, 1 under 25 %, 2 under 50 %, 3 under 75 %, 4 from there on; both
lungs together 0 to 8. The grade says the same of both lungs in a word. For research use. Not a medical device.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import nan
from typing import Self

import numpy as np
from scipy import ndimage

from db.domain.errors import InputError
from db.domain.mask import Mask

BOUNDS = (0.25, 0.5, 0.75)
"""Lower bounds of moderate, severe and critical, and of the extent scores 2, 3 and 4, as shares of the lung."""

TYPICAL_LUNG_SHARE = 0.37
"""Share of a frontal film that lungs cover: the median of 91 published lung masks; 80 % of them lie in 0.25..0.50."""

SMALLEST_LUNG = 0.1
"""A part of the lung mask below this share of the largest part is a splinter of a lung, not a lung."""

ZONES = ("upper", "middle", "lower")


class Side(StrEnum):
    """The patient's lung: the right one is at the left of a film."""

    RIGHT = "right"
    LEFT = "left"


class Grade(StrEnum):
    """The infected share of both lungs in a word."""

    NONE = "none"
    MILD = "mild"
    MODERATE = "moderate"
    SEVERE = "severe"
    CRITICAL = "critical"

    @classmethod
    def of(cls, share: float) -> Self:
        """The grade of an infected share of the lungs, 0..1; `none` is exactly 0."""
        return list(cls)[extent(share)]


def extent(share: float) -> int:
    """Extent score 0 to 4 of an infected share, 0..1."""
    return 0 if share == 0 else 1 + sum(share >= bound for bound in BOUNDS)


@dataclass(frozen=True)
class Severity:
    """How much is infected.

    Attributes
    ----------
    share
        Infected share of both lungs, or of the whole film where no lung mask was given (`note` says so), 0..1.
    by_lung, by_zone
        The same for each lung, and for the upper, middle and lower third of its height; nan for a lung that the mask
        lacks. Empty without a lung mask.
    outside_share
        Share of the infection that lies outside the lung mask: large where the lung mask leaves a white lung out.
        nan without infection or lung mask.
    """

    share: float
    grade: Grade
    by_lung: Mapping[Side, float]
    by_zone: Mapping[tuple[Side, str], float]
    outside_share: float
    note: str = ""

    @property
    def extent_score(self) -> int | None:
        """Sum of both lungs' extent scores, 0 to 8; None unless both lungs are in the mask."""
        shares = list(self.by_lung.values())
        return sum(map(extent, shares)) if shares and not np.isnan(shares).any() else None


def assess(infection: Mask, lung: Mask | None = None) -> Severity:
    """Severity of an infection mask, both bool [height, width].

    Raises
    ------
    InputError
        If the lung mask is of another size, or empty.
    """
    if lung is None:
        return _without_lungs(infection)
    if lung.shape != infection.shape or not lung.any():
        msg = f"The lung mask is {lung.shape} with {np.count_nonzero(lung)} pixels, the infection {infection.shape}."
        raise InputError(msg, hint="Give a lung mask of the same size that is not empty, or none.")
    lungs = split_lungs(lung)
    share = _share(infection, lung)
    return Severity(
        share=share,
        grade=Grade.of(share),
        by_lung={side: _share(infection, part) for side, part in lungs.items()},
        by_zone={
            (side, zone): _share(infection, part)
            for side, whole in lungs.items()
            for zone, part in zip(ZONES, _thirds(whole), strict=True)
        },
        outside_share=_share(~lung, infection),
    )


def split_lungs(lung: Mask) -> dict[Side, Mask]:
    """The right and the left lung of a mask bool [height, width]; a lung may be empty.

    Connected parts stay whole: each goes to the side of its centroid, seen from half-way between the two largest
    parts. Where there is one large part only (one lung, or two that touch) it is cut at the film's middle column.
    """
    parts, n_parts = ndimage.label(lung)
    sizes = np.bincount(parts.ravel(), minlength=n_parts + 1)[1:]
    largest = np.argsort(sizes)[::-1][:2]
    columns = np.arange(lung.shape[1])
    if n_parts < 2 or sizes[largest[1]] < SMALLEST_LUNG * sizes[largest[0]]:  # noqa: PLR2004 - a pair of lungs
        right = lung & (columns < lung.shape[1] / 2)
    else:
        centres = np.array(ndimage.center_of_mass(lung, parts, np.arange(1, n_parts + 1)))[:, 1]
        is_right = centres < centres[largest].mean()
        right = np.concatenate([[False], is_right])[parts]
    return {Side.RIGHT: right, Side.LEFT: lung & ~right}


def _thirds(lung: Mask) -> list[Mask]:
    """The upper, middle and lower third of a lung's height."""
    rows = np.nonzero(lung.any(axis=1))[0]
    edges = np.linspace(rows[0], rows[-1] + 1, len(ZONES) + 1) if rows.size else np.zeros(len(ZONES) + 1)
    centres = np.arange(lung.shape[0]) + 0.5
    return [lung & ((low <= centres) & (centres < high))[:, None] for low, high in pairwise(edges)]


def _share(infection: Mask, region: Mask) -> float:
    n_region = int(np.count_nonzero(region))
    return int(np.count_nonzero(infection & region)) / n_region if n_region else nan


def _without_lungs(infection: Mask) -> Severity:
    share = float(infection.mean())
    return Severity(
        share=share,
        grade=Grade.of(min(share / TYPICAL_LUNG_SHARE, 1.0)),
        by_lung={},
        by_zone={},
        outside_share=nan,
        note=(
            "No lung mask was given: the share is that of the whole film, and the grade is an estimate that takes"
            f" lungs to cover {TYPICAL_LUNG_SHARE:.0%} of it."
        ),
    )
