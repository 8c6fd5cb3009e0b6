"""Films to the mean probability maps of an ensemble, in a memory that does not grow with their number.

Each film is read once, by threads that are a chunk ahead of the networks.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from db.domain.mask import ProbabilityMap, resample
from ml_backend.engine import N_RESIDENT, Forward, Member
from pipelines.predicted_films import FilmGroup, ReadFilm, read_film

CHUNK = 8
"""Films that are read, computed and written together, and computed again after a kill."""

LONG_CHUNK = 16
"""The same where not all networks stay in memory, so that some are loaded for each chunk."""

CHUNK_BYTES = 64_000_000
"""What the films of a chunk may take, by the largest film met so far: chunks of large films are shorter."""

N_THREADS = max(2, min(8, os.cpu_count() or 1))
"""Each reads or writes one film at a time."""

Load = Callable[[Member], Forward]
"""From a member to its network, ready to run."""

Ensemble = Sequence[tuple[int, Forward]]
"""The input size of each member, and its network."""

_Reading = Future[tuple[ReadFilm | None, dict[str, str]]]


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some films and their maps.

    Attributes
    ----------
    films
        The films that could be read.
    maps
        Their mean probability maps, float32 [n, side, side], `side` the largest input size.
    problems
        What is wrong with each other file of the chunk, by its name.
    n_unread
        How many groups of the chunk had no file that could be read.
    """

    films: list[ReadFilm]
    maps: ProbabilityMap
    problems: Mapping[str, str]
    n_unread: int


def map_films(groups: Iterator[FilmGroup], ensemble: Ensemble, pool: ThreadPoolExecutor) -> Iterator[Chunk]:
    """Chunks in the order of the groups; `pool` reads the next one while this one is computed."""
    sides = {side for side, _ in ensemble}
    n_films = CHUNK if len(ensemble) <= N_RESIDENT + 1 else LONG_CHUNK
    n_largest_bytes = 1

    def start(n_allowed: int) -> list[_Reading]:
        return [pool.submit(read_film, group, sides) for group in islice(groups, n_allowed)]

    reading = start(CHUNK)  # how large films are is not known yet
    while reading:
        films, problems = _gather(reading)
        n_unread = len(reading) - len(films)
        n_largest_bytes = max([n_largest_bytes, *(film.pixels.nbytes for film in films)])
        reading = start(max(1, min(n_films, CHUNK_BYTES // n_largest_bytes)))
        yield Chunk(films, mean_maps(films, ensemble), problems, n_unread)
        del films  # or they would stay until the next ones are there


def mean_maps(films: Sequence[ReadFilm], ensemble: Ensemble) -> ProbabilityMap:
    """The mean of the members' maps, float32 [n, side, side] at their largest input size."""
    sides = {side for side, _ in ensemble}
    grid = max(sides)
    total = np.zeros((len(films), grid, grid), np.float32)
    if films:
        fitted = {side: np.stack([film.fitted[side] for film in films]) for side in sides}
        for side, forward in ensemble:
            for one, probability in zip(total, forward(fitted[side]), strict=True):
                np.add(one, resample(probability, grid, grid), out=one)
    mean: ProbabilityMap = np.clip(total / np.float32(len(ensemble)), 0, 1)
    return mean


def _gather(reading: Sequence[_Reading]) -> tuple[list[ReadFilm], dict[str, str]]:
    films: list[ReadFilm] = []
    problems: dict[str, str] = {}
    for future in reading:
        film, problems_of_group = future.result()
        problems |= problems_of_group
        if film is not None:
            films.append(film)
    return films, problems
