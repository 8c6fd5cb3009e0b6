"""Phantom chest films whose infection is known."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.domain.errors import InputError
from db.domain.mask import Mask
from pipelines.simulate.acquisition import expose
from pipelines.simulate.anatomy import make_chest
from pipelines.simulate.canvas import Canvas
from pipelines.simulate.lesions import Preset, make_lesions, no_lesions

SMALLEST_SIDE_PX = 48
"""Below this the ribs and the smallest lesions fall between the pixels."""


@dataclass(frozen=True)
class Phantom:
    """A simulated film with its truth.

    film: uint8 [side, side], bright where dense. infection: bool [side, side], inside `lung`, blank when healthy.
    lung: the visible lung field, bool [side, side]. severity: drawn from 0..1, 0 when healthy.
    """

    film: npt.NDArray[np.uint8]
    infection: Mask
    lung: Mask
    severity: float


def make_phantom(rng: np.random.Generator, *, side_px: int, infected: bool, preset: Preset) -> Phantom:
    """Draw a phantom film; equal generators give equal films.

    With equal generators the infected and the healthy film show the same patient under the same exposure: they differ
    by the lesions alone.

    Source: docs/simulation.md, "Phantom film".

    Raises
    ------
    InputError
        If `side_px` is below `SMALLEST_SIDE_PX`.
    """
    if side_px < SMALLEST_SIDE_PX:
        msg = f"A phantom film of {side_px} pixels a side was asked for; the smallest is {SMALLEST_SIDE_PX}."
        raise InputError(msg, hint="Ask for 96 or more to see ribs and vessels.")
    anatomy, disease, machine = (np.random.default_rng(seed) for seed in rng.integers(2**63, size=3))
    canvas = Canvas.posed(anatomy, side_px)
    chest = make_chest(anatomy, canvas)
    lesions = make_lesions(disease, chest.lung, preset) if infected else no_lesions(chest.lung)
    film = expose(machine, chest.attenuation, canvas, extra=lesions.attenuation)
    return Phantom(film, lesions.infection, chest.lung, lesions.severity)
