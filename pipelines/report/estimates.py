"""A mean with its interval, as every section of the report states it."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.scores import cluster_bootstrap


@dataclass(frozen=True)
class Estimate:
    """The mean of `n` films, and its 95 % interval by resampling `n_components` patients; nan without films."""

    value: float
    low: float
    high: float
    n: int
    n_components: int

    @classmethod
    def of(cls, values: Sequence[float], components: Sequence[Hashable]) -> "Estimate":
        """The estimate of one value a film, each with its component (patient, or near-duplicate films)."""
        mean = float(np.mean(values)) if values else float("nan")
        low, high = cluster_bootstrap(np.array(values, np.float64), np.ones(len(values)), components)
        return cls(mean, low, high, len(values), len(set(components)))
