"""How far readers agree with each other, and how strong the origins are that they chose among.

Kappa and alpha take what was chosen by its origin, or what was said instead of a choice. That punishes picks of masks
that are nearly the same; the Dice between the chosen masks stands beside them.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import nan

import numpy as np

N_STEPS = 1000
TOLERANCE = 1e-10


def fleiss_kappa(ratings: Iterable[Sequence[Hashable]]) -> float:
    """Agreement beyond chance over cases that equally many readers rated; nan where it is not defined.

    Cases of another number of ratings than the commonest one, and those of fewer than two, are left out: use
    `nominal_alpha` for them. Source: Fleiss (1971).
    """
    rows = [row for row in ratings if len(row) > 1]
    n_raters = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    rows = [row for row in rows if len(row) == n_raters]
    categories = {value: i for i, value in enumerate(dict.fromkeys(value for row in rows for value in row))}
    if len(categories) < 2:  # noqa: PLR2004 - of one category nothing can be beyond chance
        return nan
    counts = np.zeros((len(rows), len(categories)))
    for i, row in enumerate(rows):
        for value in row:
            counts[i, categories[value]] += 1
    observed = ((counts**2).sum(axis=1) - n_raters) / (n_raters * (n_raters - 1))
    expected = float(((counts.sum(axis=0) / counts.sum()) ** 2).sum())
    return (float(observed.mean()) - expected) / (1 - expected)


def nominal_alpha(ratings: Iterable[Sequence[Hashable]]) -> float:
    """Krippendorff's alpha for categories, whatever the number of ratings of a case; nan where it is not defined.

    Cases of a single rating say nothing of agreement. Source: Krippendorff (2011), "Computing Krippendorff's
    alpha-reliability", nominal data with missing values.
    """
    rows = [row for row in ratings if len(row) > 1]
    totals = Counter(value for row in rows for value in row)
    n = sum(totals.values())
    expected = n * n - sum(count**2 for count in totals.values())
    if expected == 0:
        return nan
    disagreed = sum((len(row) ** 2 - sum(count**2 for count in Counter(row).values())) / (len(row) - 1) for row in rows)
    return 1 - (n - 1) * disagreed / expected


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
