"""How far readers agree with each other, and how strong the origins are that they chose among.

Kappa and alpha take what was chosen by its origin, or what was said instead of a choice. That punishes picks of masks
that are nearly the same; the Dice between the chosen masks stands beside them.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import nan

import numpy as np
import numpy.typing as npt

from db.domain.agreement import Share
from db.domain.clustering import draw_clusters

N_STEPS = 1000
TOLERANCE = 1e-10


Counts = npt.NDArray[np.float64]
"""How often each category was named: [cases, categories]."""

Weights = npt.NDArray[np.float64]
"""How often each case counts: [draws, cases]."""

Statistic = Callable[[Counts, Weights], npt.NDArray[np.float64]]


def fleiss_kappa(ratings: Iterable[Sequence[Hashable]]) -> float:
    """Agreement beyond chance over cases that equally many readers rated; nan where it is not defined.

    Cases of another number of ratings than the commonest one, and those of fewer than two, are left out: use
    `nominal_alpha` for them. Source: Fleiss (1971).
    """
    rows = [row for row in ratings if len(row) > 1]
    return _point(_kappa, _of_commonest_length(rows))


def nominal_alpha(ratings: Iterable[Sequence[Hashable]]) -> float:
    """Krippendorff's alpha for categories, whatever the number of ratings of a case; nan where it is not defined.

    Cases of a single rating say nothing of agreement. Source: Krippendorff (2011), "Computing Krippendorff's
    alpha-reliability", nominal data with missing values.
    """
    return _point(_alpha, [row for row in ratings if len(row) > 1])


def measure_agreement(ratings: Sequence[Sequence[Hashable]], patients: Sequence[str]) -> tuple[Share, Share]:
    """Fleiss' kappa and Krippendorff's alpha of rated cases, each with its 95 % interval over patients.

    The interval is the percentile bootstrap that draws patients; draws in which it is not defined are left out.
    """
    rated = [(row, patient) for row, patient in zip(ratings, patients, strict=True) if len(row) > 1]
    equal = _of_commonest_length([row for row, _ in rated])
    of_kappa = [(row, patient) for row, patient in rated if equal and len(row) == len(equal[0])]
    return _share(_kappa, of_kappa), _share(_alpha, rated)


def _of_commonest_length(rows: Sequence[Sequence[Hashable]]) -> list[Sequence[Hashable]]:
    n_raters = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    return [row for row in rows if len(row) == n_raters]


def _kappa(counts: Counts, weights: Weights) -> npt.NDArray[np.float64]:
    """Fleiss' kappa [draws] of cases that have equally many ratings."""
    n_raters = counts[0].sum()
    agreed = ((counts**2).sum(axis=1) - n_raters) / (n_raters * (n_raters - 1))
    n_cases = weights.sum(axis=1)
    observed = weights @ agreed / n_cases
    expected = (((weights @ counts) / (n_cases * n_raters)[:, None]) ** 2).sum(axis=1)
    return _ratio(observed - expected, 1 - expected)


def _alpha(counts: Counts, weights: Weights) -> npt.NDArray[np.float64]:
    """Krippendorff's nominal alpha [draws]."""
    n_of_case = counts.sum(axis=1)
    disagreed = weights @ ((n_of_case**2 - (counts**2).sum(axis=1)) / (n_of_case - 1))
    n = weights @ n_of_case
    expected = n**2 - ((weights @ counts) ** 2).sum(axis=1)
    found: npt.NDArray[np.float64] = 1 - (n - 1) * _ratio(disagreed, expected)
    return found


def _ratio(numerator: npt.NDArray[np.float64], denominator: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Nan where nothing can be beyond chance: there is one category only."""
    is_defined = denominator > TOLERANCE
    return np.where(is_defined, numerator / np.where(is_defined, denominator, 1.0), nan)


def _count(rows: Sequence[Sequence[Hashable]]) -> Counts:
    categories = {value: i for i, value in enumerate(dict.fromkeys(value for row in rows for value in row))}
    counts = np.zeros((len(rows), len(categories)))
    for i, row in enumerate(rows):
        for value in row:
            counts[i, categories[value]] += 1
    return counts


def _point(statistic: Statistic, rows: Sequence[Sequence[Hashable]]) -> float:
    return float(statistic(_count(rows), np.ones((1, len(rows))))[0]) if rows else nan


def _share(statistic: Statistic, rated: Sequence[tuple[Sequence[Hashable], str]]) -> Share:
    if not rated:
        return Share(nan, nan, nan, 0, "no case with several readers")
    rows, patients = [row for row, _ in rated], [patient for _, patient in rated]
    drawn = statistic(_count(rows), draw_clusters(patients, np.random.default_rng(1)))
    known = drawn[~np.isnan(drawn)]
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (nan, nan)
    method = f"bootstrap over {len(set(patients))} patients"
    return Share(_point(statistic, rows), float(low), float(high), len(rows), method)


def bradley_terry(wins: Mapping[tuple[str, str], float]) -> dict[str, float]:
    """The strength of each origin, summing to 1: `a` is chosen over `b` with the odds of their strengths.

    `wins[a, b]` is how often `a` was chosen where `b` stood beside it; shares of a credit count. The model takes
    choices for independent of each other and of what else is on offer, which networks that err alike violate: two that
    propose the same mask split its wins. One win of half a case is added to each pair, so that an origin that never
    won has a strength too. Source: Hunter (2004), the MM algorithm.
    """
    names = sorted({name for pair in wins for name in pair})
    if not names:
        return {}
    won = np.array([[wins.get((a, b), 0.0) + 0.5 * (a != b) for b in names] for a in names])
    games, strengths = won + won.T, np.full(len(names), 1 / len(names))
    for _ in range(N_STEPS):
        shares = games / (strengths[:, None] + strengths[None, :])
        stronger = won.sum(axis=1) / np.maximum(shares.sum(axis=1), TOLERANCE)
        stronger /= stronger.sum()
        if np.abs(stronger - strengths).max() < TOLERANCE:
            break
        strengths = stronger
    return dict(zip(names, strengths.tolist(), strict=True))
