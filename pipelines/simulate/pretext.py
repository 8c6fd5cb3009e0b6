"""Phantom films that a network learns first, before it sees a real one."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np

from db.domain.mask import Mask
from ml_backend.data import Film, PackedSet, fit_film, fit_mask
from pipelines.simulate.lesions import CONSPICUOUS, SUBTLE
from pipelines.simulate.phantom import Phantom, make_phantom

N_FILMS = 2000

DRAWN_PX = 128
"""Side at which a phantom is drawn at least, before it is brought to the network's size like any film."""

SEED = 7_001
"""Away from the seeds of demonstrations, so that no network is measured on what it learned first."""

Packed = tuple[Film, Mask]

Report = Callable[[int, int], None]
"""Told how many films are made, of how many; what it raises ends the making."""


def _silent(_n_done: int, _n_total: int) -> None:
    pass


def make_pretext(name: str, side_px: int, report: Report = _silent, *, n_films: int = N_FILMS) -> PackedSet:
    """The films of pretext `name` at `side_px`: every second infected, of both presets, with masks.

    `phantoms` has the masks of infection, empty for the healthy half; `phantom_lungs` those of the lungs. Equal
    arguments give equal films; `report` may end the making by raising. Simulated; see docs/simulation.md.
    """
    make = partial(_make_one, lungs=name == "phantom_lungs", side_px=side_px)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        try:
            made = []
            for one in pool.map(make, range(n_films), chunksize=8):
                made.append(one)
                report(len(made), n_films)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    films, masks = zip(*made, strict=True)
    return PackedSet(tuple(f"pretext-{i:04}" for i in range(n_films)), np.stack(films), np.stack(masks))


def _make_one(number: int, *, lungs: bool, side_px: int) -> Packed:
    phantom = draw(number, side_px=max(side_px, DRAWN_PX))
    mask = phantom.lung if lungs else phantom.infection
    return fit_film(phantom.film, side_px), fit_mask(mask, side_px)


def draw(number: int, *, side_px: int) -> Phantom:
    """Phantom `number` of the pretext."""
    preset = CONSPICUOUS if number % 4 == 0 else SUBTLE
    rng = np.random.default_rng([SEED, number])
    return make_phantom(rng, side_px=side_px, infected=number % 2 == 0, preset=preset)
