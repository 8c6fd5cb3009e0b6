"""Segmentation scored on pixels and per film, from stored predictions, one film in memory at a time.

Source: P29 to P32, P35. Normal films count among the pixels; what speaks of lesions is told apart below.
"""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from itertools import pairwise
from math import isnan, nan

import numpy as np

from db.domain.errors import InputError
from db.domain.mask import THRESHOLD, Mask, ProbabilityMap
from pipelines.scores import (
    ConfusionCounts,
    CrossValidated,
    LevelHistogram,
    Numbers,
    cluster_bootstrap,
    ratio_terms,
    to_levels,
)

N_QUARTILES = 4


@dataclass(frozen=True, eq=False)
class FilmPrediction:
    """A film's reference mask with the map that an out-of-fold network made of it, both [height, width].

    `component` names the patient (with near-duplicate films); `probability` is in 0..1 as the store returns it.
    """

    case: str
    component: str
    fold: int
    truth: Mask
    probability: ProbabilityMap


@dataclass(frozen=True)
class FilmScore:
    """What remains of a film once its pixels are counted."""

    case: str
    component: str
    fold: int
    counts: ConfusionCounts

    @property
    def dice(self) -> float:
        """Dice coefficient, 0 to 1. Where both masks are empty it is 0/0 and taken as 1; where one is, it is 0."""
        return 1.0 if isnan(self.counts.f1) else self.counts.f1

    @property
    def infected_share(self) -> float:
        """Share of the film that its reference mask covers."""
        return (self.counts.tp + self.counts.fn) / self.counts.n

    @property
    def is_empty(self) -> bool:
        """Whether the reference mask has no pixel."""
        return self.infected_share == 0


@dataclass(frozen=True)
class SizeQuartile:
    """Films whose reference masks are of like size, as shares of the film from `smallest` to `largest`."""

    smallest: float
    largest: float
    n_films: int
    mean_dice: float
    pooled: ConfusionCounts


@dataclass(frozen=True, eq=False)
class Segmentation:
    """One network's segmentation of all test films.

    Attributes
    ----------
    pixels
        Every pixel of every film, by fold; its AUC is exact for stored maps.
    films
        A score a film, in the order received.
    """

    pixels: CrossValidated
    films: tuple[FilmScore, ...]

    @cached_property
    def infected(self) -> tuple[FilmScore, ...]:
        """Films with a reference mask that is not empty: those whose Dice means something."""
        return tuple(film for film in self.films if not film.is_empty)

    @property
    def mean_dice(self) -> float:
        """Mean Dice over `infected`; nan where there are none.

        Films with an empty reference stay out: each would add 1 or 0 for any speck, and thousands of normal films
        would hide the lesions. `clean_share` speaks of them.
        """
        return _mean_dice(self.infected)

    @property
    def clean_share(self) -> float:
        """Share of the films with an empty reference in which no pixel was called infected; nan without such films."""
        empty = [film.counts.fp == 0 for film in self.films if film.is_empty]
        return sum(empty) / len(empty) if empty else nan

    def size_quartiles(self) -> list[SizeQuartile]:
        """`infected` by the size of the reference mask, the smallest quarter first; groups of equal number."""
        order = sorted(self.infected, key=lambda film: (film.infected_share, film.case))
        bounds = np.linspace(0, len(order), N_QUARTILES + 1).astype(int).tolist()
        groups = [order[first:last] for first, last in pairwise(bounds) if last > first]
        return [
            SizeQuartile(
                smallest=group[0].infected_share,
                largest=group[-1].infected_share,
                n_films=len(group),
                mean_dice=_mean_dice(group),
                pooled=ConfusionCounts.pooled([film.counts for film in group]),
            )
            for group in groups
        ]

    def interval(self, metric: str, *, seed: int = 0, n_resamples: int = 2000) -> tuple[float, float]:
        """95 % interval of a pooled metric, or of "mean_dice", by resampling patients; see `cluster_bootstrap`."""
        films = self.infected if metric == "mean_dice" else self.films
        above: Numbers
        below: Numbers
        if metric == "mean_dice":
            above, below = np.array([film.dice for film in films]), np.ones(len(films))
        else:
            above, below = ratio_terms([astuple(film.counts) for film in films], metric)
        return cluster_bootstrap(above, below, [film.component for film in films], seed=seed, n_resamples=n_resamples)


def evaluate(predictions: Iterable[FilmPrediction], *, threshold: float = THRESHOLD) -> Segmentation:
    """Score every film's map against its reference mask; a probability of at least `threshold` is infected.

    Raises
    ------
    InputError
        If a map and its mask differ in size, a case comes twice, or no film is given.
    """
    histograms: dict[int, LevelHistogram] = {}
    films: dict[str, FilmScore] = {}
    for film in predictions:
        _check(film, films)
        histogram = LevelHistogram.of(film.truth, to_levels(film.probability))
        histograms[film.fold] = histograms.get(film.fold, LevelHistogram.empty()) + histogram
        films[film.case] = FilmScore(film.case, film.component, film.fold, histogram.counts(threshold))
    if not films:
        msg = "There is no prediction to score."
        raise InputError(msg, hint="Run `overread benchmark` first.")
    return Segmentation(CrossValidated(histograms, threshold), tuple(films.values()))


def _check(film: FilmPrediction, seen: dict[str, FilmScore]) -> None:
    if film.truth.shape != film.probability.shape:
        msg = f"The map of case {film.case} is {film.probability.shape}, its mask {film.truth.shape}."
        raise InputError(msg, hint="Bring the mask to the map's size with ml_backend.data.fit_mask.")
    if film.case in seen:
        msg = f"Case {film.case} came twice: out-of-fold predictions hold each film once."
        raise InputError(msg, hint="Score one network at a time.")


def _mean_dice(films: Sequence[FilmScore]) -> float:
    return float(np.mean([film.dice for film in films])) if films else nan
