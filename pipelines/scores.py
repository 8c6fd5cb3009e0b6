"""Scores from whole-number counts, and the ranking of probabilities behind them.

Every metric of the paper is a ratio of two sums over samples, so it is written once, as the weights of TP, FP, TN and
FN above and below the line, and serves one matrix, a sum of matrices and a thousand resampled ones alike.
"""

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from math import ceil, nan, sqrt
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import stats

from db.artifacts import MAP_LEVELS
from db.domain.errors import InputError
from db.domain.mask import THRESHOLD, Mask

Levels = npt.NDArray[np.uint16]
Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]

METRICS: Mapping[str, tuple[tuple[int, int, int, int], tuple[int, int, int, int]]] = {
    "sensitivity": ((1, 0, 0, 0), (1, 0, 0, 1)),
    "specificity": ((0, 0, 1, 0), (0, 1, 1, 0)),
    "precision": ((1, 0, 0, 0), (1, 1, 0, 0)),
    "accuracy": ((1, 0, 1, 0), (1, 1, 1, 1)),
    "f1": ((2, 0, 0, 0), (2, 1, 0, 1)),
    "f2": ((5, 0, 0, 0), (5, 1, 0, 4)),
}
"""Weights of (TP, FP, TN, FN) in each metric's numerator and denominator. Source: eqs. 8 to 12 (P30)."""


@dataclass(frozen=True)
class ConfusionCounts:
    """A confusion matrix of whole numbers; its metrics are fractions.

    A metric that is 0/0 is nan: sensitivity where nothing is positive, precision where nothing was called positive, F1
    and F2 where neither is anything. Where something is positive and nothing of it was found, F1 and F2 are 0, also if
    nothing was called positive: eq. 12 is 0/0 there, its rewriting in counts is not.

    Source: Degerli et al., eqs. 8 to 13 (P30, P31).
    """

    tp: int
    fp: int
    tn: int
    fn: int

    def __post_init__(self) -> None:
        if min(astuple(self)) < 0:
            msg = f"Counts are 0 or more; tp, fp, tn, fn = {astuple(self)} was received."
            raise InputError(msg)

    @classmethod
    def from_masks(cls, truth: Mask, predicted: Mask) -> Self:
        """Counts over the pixels of two bool masks of one shape; infected is positive.

        Raises
        ------
        InputError
            If the shapes differ.
        """
        if truth.shape != predicted.shape:
            msg = f"The predicted mask is {predicted.shape}, its reference {truth.shape}."
            raise InputError(msg, hint="Bring both to one size first.")
        n_true, n_predicted = int(np.count_nonzero(truth)), int(np.count_nonzero(predicted))
        tp = int(np.count_nonzero(truth & predicted))
        return cls(tp=tp, fp=n_predicted - tp, tn=truth.size - n_true - n_predicted + tp, fn=n_true - tp)

    @classmethod
    def pooled(cls, parts: Sequence[Self]) -> Self:
        """The sum of `parts`: the paper's cumulative confusion matrix (P32)."""
        return cls(*(sum(column) for column in zip(*map(astuple, parts), strict=True))) if parts else cls(0, 0, 0, 0)

    def __add__(self, other: Self) -> Self:
        return self.pooled([self, other])

    @property
    def n(self) -> int:
        """All samples."""
        return self.tp + self.fp + self.tn + self.fn

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN), eq. 8."""
        return self.value("sensitivity")

    @property
    def specificity(self) -> float:
        """TN / (TN + FP), eq. 9."""
        return self.value("specificity")

    @property
    def precision(self) -> float:
        """TP / (TP + FP), eq. 10."""
        return self.value("precision")

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all, eq. 11."""
        return self.value("accuracy")

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN), eq. 12 with beta 1."""
        return self.value("f1")

    @property
    def f2(self) -> float:
        """5 TP / (5 TP + FP + 4 FN), eq. 12 with beta 2: a miss weighs four false alarms."""
        return self.value("f2")

    def value(self, metric: str) -> float:
        """The metric of this name, a fraction or nan."""
        above, below = (int(term) for term in ratio_terms(astuple(self), metric))
        return above / below if below else nan

    def half_width(self, metric: str, z: float = 1.96) -> float:
        """Half the interval z sqrt(m (1 - m) / N) around a metric, a fraction.

        N is the number of positives for sensitivity, of negatives for specificity and of all samples for every other
        metric. It treats samples as independent, which the pixels of one film are not: see `cluster_bootstrap`.

        Source: Degerli et al., eq. 13 (P31).
        """
        n = {"sensitivity": self.tp + self.fn, "specificity": self.tn + self.fp}.get(metric, self.n)
        return half_width(self.value(metric), n, z)


def half_width(fraction: float, n: int, z: float = 1.96) -> float:
    """Half the interval around a fraction of n samples, an AUC too; nan without samples. Source: eq. 13 (P31)."""
    return z * sqrt(fraction * (1 - fraction) / n) if n else nan


def ratio_terms(counts: npt.ArrayLike, metric: str) -> tuple[Numbers, Numbers]:
    """What stands above and below a metric's line, for whole-number counts [..., 4] in the order TP, FP, TN, FN.

    Raises
    ------
    InputError
        If there is no metric of that name.
    """
    if metric not in METRICS:
        msg = f"There is no metric {metric!r} of a confusion matrix."
        raise InputError(msg, hint=f"Known: {', '.join(METRICS)}.")
    above, below = METRICS[metric]
    matrix = np.asarray(counts, dtype=np.int64)
    return matrix @ np.array(above), matrix @ np.array(below)


def cluster_bootstrap(
    above: Numbers, below: Numbers, clusters: Sequence[Hashable], *, seed: int = 0, n_resamples: int = 2000
) -> tuple[float, float]:
    """95 % percentile interval of sum(above) / sum(below) when whole clusters (patients) are drawn with replacement.

    Parameters
    ----------
    above, below
        Each film's share of the numerator and of the denominator [n films].
    clusters
        Each film's component.

    Returns
    -------
    Low and high; nan with fewer than two clusters, or where a resample is 0/0 because too few clusters hold positives.
    """
    names = {name: row for row, name in enumerate(dict.fromkeys(clusters))}
    if len(names) < 2:  # noqa: PLR2004 - one cluster cannot vary
        return nan, nan
    rows = [names[name] for name in clusters]
    sums = np.stack([np.bincount(rows, weights=column) for column in (above, below)])

    def ratio(drawn: npt.NDArray[np.int64], axis: int = -1) -> npt.NDArray[np.float64]:
        top, bottom = sums[:, drawn].sum(axis=axis)
        drawn_ratio: npt.NDArray[np.float64] = np.divide(top, bottom, out=np.full_like(top, nan), where=bottom > 0)
        return drawn_ratio

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # what it warns of is returned as nan
        interval = stats.bootstrap(
            (np.arange(len(names)),),
            ratio,
            vectorized=True,
            n_resamples=n_resamples,
            batch=100,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return float(interval.low), float(interval.high)


def to_levels(probability: npt.ArrayLike) -> Levels:
    """Probabilities in 0..1 as the whole levels in which maps are stored, round(p x 65535); exact for a stored map."""
    return np.rint(np.asarray(probability, dtype=np.float64) * MAP_LEVELS).astype(np.uint16)


def first_level(threshold: float) -> int:
    """The lowest level that reaches `threshold`; one read from a float32 map, a hair above its level, is reached."""
    return ceil(threshold * MAP_LEVELS - 0.01)


@dataclass(frozen=True, eq=False)
class LevelHistogram:
    """How many negative and positive samples stand at each level of probability.

    Attributes
    ----------
    n_at_level
        int64 [2, 65536]: row 0 negatives, row 1 positives. Stored maps have these levels and no others, so everything
        that ranks or thresholds them follows exactly, in memory that does not grow with the number of pixels.
    """

    n_at_level: npt.NDArray[np.int64]

    @classmethod
    def of(cls, truth: npt.NDArray[np.bool_], levels: Levels) -> Self:
        """The histogram of samples of any one shape."""
        at = levels.ravel().astype(np.int64) + truth.ravel() * (MAP_LEVELS + 1)
        return cls(np.bincount(at, minlength=2 * (MAP_LEVELS + 1)).reshape(2, -1))

    @classmethod
    def empty(cls) -> Self:
        """No samples."""
        return cls(np.zeros((2, MAP_LEVELS + 1), np.int64))

    def __add__(self, other: Self) -> Self:
        return type(self)(self.n_at_level + other.n_at_level)

    def counts(self, threshold: float = THRESHOLD) -> ConfusionCounts:
        """The confusion matrix where a probability of at least `threshold` is called positive (P29)."""
        halves = np.split(self.n_at_level, [first_level(threshold)], axis=1)
        (tn, fn), (fp, tp) = (half.sum(axis=1).tolist() for half in halves)
        return ConfusionCounts(tp=tp, fp=fp, tn=tn, fn=fn)

    @cached_property
    def auc(self) -> float:
        """Area under the ROC curve: the chance that a positive ranks above a negative, ties counted half.

        nan where either class is missing.
        """
        negatives, positives = self.n_at_level
        n_pairs = int(negatives.sum()) * int(positives.sum())
        below = np.cumsum(negatives) - negatives
        return float(positives.astype(np.float64) @ (below + negatives / 2)) / n_pairs if n_pairs else nan


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """The same samples scored in two ways: pooled over the folds, and as the mean of the folds' figures.

    The paper's Table III is pooled, its Table I agrees better with the mean over folds (P32): report both.
    """

    by_fold: Mapping[int, LevelHistogram]
    threshold: float = THRESHOLD

    @cached_property
    def histogram(self) -> LevelHistogram:
        """All folds together."""
        return sum(self.by_fold.values(), start=LevelHistogram.empty())

    @cached_property
    def pooled(self) -> ConfusionCounts:
        """The cumulative confusion matrix."""
        return self.histogram.counts(self.threshold)

    @cached_property
    def fold_counts(self) -> Mapping[int, ConfusionCounts]:
        """The confusion matrix of each fold, in the folds' order."""
        return {fold: self.by_fold[fold].counts(self.threshold) for fold in sorted(self.by_fold)}

    @property
    def auc(self) -> float:
        """Area under the ROC curve of all folds' samples ranked together."""
        return self.histogram.auc

    def fold_mean(self, metric: str) -> float:
        """Mean over the folds of a metric or of "auc"; nan if it is undefined in any fold, so that none is left out."""
        if metric == "auc":
            return float(np.mean([histogram.auc for histogram in self.by_fold.values()]))
        return float(np.mean([counts.value(metric) for counts in self.fold_counts.values()]))
