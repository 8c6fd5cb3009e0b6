"""Detection scored per film: infected if any pixel of its probability map reaches the threshold.

Source: P33, P34, P37. Which films are positive is their class, not their mask: an infected film may have an empty one.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np

from db.domain.errors import InputError
from db.domain.mask import THRESHOLD, ProbabilityMap
from pipelines.scores import (
    ConfusionCounts,
    CrossValidated,
    LevelHistogram,
    cluster_bootstrap,
    first_level,
    ratio_terms,
    to_levels,
)


@dataclass(frozen=True)
class FilmPeak:
    """A film's class, and the highest probability (0..1) that an out-of-fold network gave any of its pixels.

    `component` names the patient (with near-duplicate films).
    """

    case: str
    component: str
    fold: int
    is_infected: bool
    peak: float

    @classmethod
    def of(cls, probability: ProbabilityMap, *, case: str, component: str, fold: int, is_infected: bool) -> Self:
        """The peak of a probability map [height, width]."""
        return cls(case, component, fold, is_infected, float(probability.max()))

    def counts(self, threshold: float) -> ConfusionCounts:
        """The confusion matrix of this one film."""
        called = bool(to_levels(self.peak) >= first_level(threshold))
        return ConfusionCounts(
            tp=int(called and self.is_infected),
            fp=int(called and not self.is_infected),
            tn=int(not called and not self.is_infected),
            fn=int(not called and self.is_infected),
        )


@dataclass(frozen=True, eq=False)
class Detection:
    """One network's detection on all test films.

    Attributes
    ----------
    scores
        Films as samples, by fold. AUC ranks films by their peaks.
    films
        In the order received.
    """

    scores: CrossValidated
    films: tuple[FilmPeak, ...]

    def interval(self, metric: str, *, seed: int = 0, n_resamples: int = 2000) -> tuple[float, float]:
        """95 % interval of a pooled metric by resampling patients; see `cluster_bootstrap`."""
        above, below = ratio_terms([astuple(film.counts(self.scores.threshold)) for film in self.films], metric)
        components = [film.component for film in self.films]
        return cluster_bootstrap(above, below, components, seed=seed, n_resamples=n_resamples)


def evaluate(films: Iterable[FilmPeak], *, threshold: float = THRESHOLD) -> Detection:
    """Call each film by the any-pixel rule, a peak of at least `threshold` being infected, and score the calls.

    Raises
    ------
    InputError
        If a case comes twice, or no film is given.
    """
    of_fold: dict[int, list[FilmPeak]] = defaultdict(list)
    kept = tuple(films)
    for film in kept:
        of_fold[film.fold].append(film)
    if len({film.case for film in kept}) != len(kept) or not kept:
        msg = f"{len(kept)} films of {len({film.case for film in kept})} cases were given; each must come once."
        raise InputError(msg, hint="Run `overread benchmark` first, and score one network at a time.")
    histograms = {fold: _histogram(members) for fold, members in of_fold.items()}
    return Detection(CrossValidated(histograms, threshold), kept)


def _histogram(films: list[FilmPeak]) -> LevelHistogram:
    is_infected = np.array([film.is_infected for film in films])
    return LevelHistogram.of(is_infected, to_levels([film.peak for film in films]))
