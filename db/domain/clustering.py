"""Intervals for verdicts that resemble each other, because one reader gave them or because they are of one patient."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

N_DRAWS = 1000


def crossed_interval(
    values: Sequence[float], readers: Sequence[Hashable], patients: Sequence[Hashable], *, seed: int = 1
) -> tuple[float, float]:
    """The 95 % percentile interval of a mean under a bootstrap that draws readers and patients independently.

    Each value weighs by how often its reader times how often its patient was drawn. Source: Owen (2007), the pigeonhole
    bootstrap; it is conservative for many readers and too narrow for a handful of them, as every bootstrap is.
    Draws without any value are left out.
    """
    rng = np.random.default_rng(seed)
    data = np.asarray(values, np.float64)
    weights = draw_clusters(readers, rng) * draw_clusters(patients, rng)
    totals = weights.sum(axis=1)
    is_drawn = totals > 0
    means = weights[is_drawn] @ data / totals[is_drawn]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def draw_clusters(names: Sequence[Hashable], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """How often the cluster of each value was drawn: [draws, values]."""
    index = {name: i for i, name in enumerate(dict.fromkeys(names))}
    n = len(index)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=N_DRAWS)
    drawn: npt.NDArray[np.float64] = counts[:, [index[name] for name in names]].astype(np.float64)
    return drawn
