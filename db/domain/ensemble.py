"""Which networks complement each other: out-of-fold Dice, alone and together.

A comparison offers several masks and one of them becomes final, so an ensemble is worth what its best member is worth
on each case, not what its members are worth on average. Source: P12 asks for five networks and does not say which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from math import comb, nan
from typing import Self

import numpy as np
import numpy.typing as npt

from db.domain.errors import InputError
from db.domain.mask import Mask
from db.domain.network import NetworkSpec

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

MAX_EXHAUSTIVE = 200_000
"""Subsets that are all tried; 24 networks have 42,504 of five."""

N_RESAMPLES = 2000
CHUNK_VALUES = 1 << 20
"""Dice values that are compared at a time: about 8 MB, which stay in a processor's cache."""


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Out-of-fold Dice of several networks on the same cases.

    Attributes
    ----------
    networks
        Their names [n_networks].
    dice
        float64 [n_networks, n_cases] in 0..1: each network's mask against the case's final mask.
    pairwise
        float64 [n_networks, n_networks]: mean Dice between two networks' masks of a case.
    components
        Each case's patient (with near-duplicate films) [n_cases].
    folds
        Each case's fold [n_cases].
    n_dropped
        Cases that do not count, because a network had no out-of-fold map of them.
    """

    networks: tuple[str, ...]
    dice: Floats
    pairwise: Floats
    components: tuple[str, ...]
    folds: tuple[int, ...]
    n_dropped: int = 0

    def __post_init__(self) -> None:
        shape = len(self.networks), len(self.components)
        if self.dice.shape != shape or len(self.folds) != shape[1] or self.pairwise.shape != (shape[0], shape[0]):
            msg = f"Dice is {self.dice.shape}, pairwise {self.pairwise.shape}, for {shape} networks and cases."
            raise InputError(msg)
        if not self.dice.size or not ((self.dice >= 0) & (self.dice <= 1)).all():
            msg = "Dice of no network, of no case, or outside 0..1."
            raise InputError(msg, hint="Networks are compared on cases of which each has an out-of-fold map.")

    @classmethod
    def of_complete_cases(
        cls,
        networks: Sequence[str],
        dice: Floats,
        pairwise: Floats,
        *,
        components: Sequence[str],
        folds: Sequence[int],
    ) -> Self:
        """The evidence of those cases of which every network has a Dice; nan stands where one has none.

        Only so are networks compared on the same cases: a network that is missing on the hard ones would look good.

        Raises
        ------
        InputError
            If no case is left, or the shapes do not agree.
        """
        complete = np.flatnonzero(~np.isnan(dice).any(axis=0)).tolist()
        return cls(
            tuple(networks),
            dice[:, complete],
            pairwise,
            tuple(components[i] for i in complete),
            tuple(folds[i] for i in complete),
            n_dropped=dice.shape[1] - len(complete),
        )

    @property
    def n_cases(self) -> int:
        """Cases that count."""
        return len(self.components)

    @property
    def mean_dice(self) -> dict[str, float]:
        """Mean Dice of each network over the cases."""
        return dict(zip(self.networks, self.dice.mean(axis=1).tolist(), strict=True))

    def intervals(self, *, seed: int = 0) -> dict[str, tuple[float, float]]:
        """95 % percentile interval of each mean, drawing whole components with replacement; nan with only one.

        Each interval is that of one network; two that overlap say little about the difference, because both networks
        were measured on the same cases.
        """
        names, of_case = np.unique(self.components, return_inverse=True)
        if len(names) == 1:
            return dict.fromkeys(self.networks, (nan, nan))
        sums = np.stack([np.bincount(of_case, weights=row) for row in self.dice], axis=1)
        n_drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), N_RESAMPLES)
        means = n_drawn @ sums / (n_drawn @ np.bincount(of_case))[:, None]
        low, high = np.quantile(means, [0.025, 0.975], axis=0).tolist()
        return dict(zip(self.networks, zip(low, high, strict=True), strict=True))

    def expected_best(self, members: Sequence[str]) -> float:
        """Mean over cases of the best member's Dice: what a reader gets who always picks the best. nan of nobody."""
        rows = [self.networks.index(name) for name in members]
        return float(self.dice[rows].max(axis=0).mean()) if rows else nan

    def suggest(self, n_members: int) -> "Suggestion":
        """The ensemble of `n_members` with the highest expected best.

        Raises
        ------
        InputError
            If there are fewer networks, or none is asked for.
        """
        if not 0 < n_members <= len(self.networks):
            msg = f"An ensemble of {n_members} was asked for; {len(self.networks)} networks are measured."
            raise InputError(
                msg, hint="Measure more with `overread benchmark CAMPAIGN --network NAME`, or ask for fewer."
            )
        rows = best_subset(self.dice, n_members)
        networks = tuple(self.networks[row] for row in rows)
        return Suggestion(
            networks=networks,
            expected_best=self.expected_best(networks),
            left_out=self._left_out(n_members),
            is_exhaustive=_is_exhaustive(len(self.networks), n_members),
        )

    def _left_out(self, n_members: int) -> float:
        """Mean Dice of the best member where each fold's ensemble was chosen on the other folds; nan with one fold."""
        folds = np.array(self.folds)
        if len(set(self.folds)) == 1:
            return nan
        best = np.empty(self.n_cases)
        for fold in np.unique(folds):
            rows = best_subset(self.dice[:, folds != fold], n_members)
            best[folds == fold] = self.dice[np.ix_(rows, folds == fold)].max(axis=0)
        return float(best.mean())


@dataclass(frozen=True)
class Suggestion:
    """An ensemble, and what to expect of it.

    Attributes
    ----------
    expected_best
        On the cases on which it was chosen, hence too high.
    left_out
        What choosing so is worth on cases that had no part in it: chosen on the other folds, scored on the fold left
        out. The networks of one fold have learned from the other folds' final masks, which it does not undo.
    is_exhaustive
        Whether all ensembles of that size were tried. Otherwise members were added, then swapped, one at a time.
    """

    networks: tuple[str, ...]
    expected_best: float
    left_out: float
    is_exhaustive: bool


def parse_networks(names: Sequence[str]) -> tuple[NetworkSpec, ...]:
    """The networks that `names` name, in their order.

    Raises
    ------
    InputError
        If a name is unknown or comes twice, or there is none.
    """
    networks = tuple(map(NetworkSpec.parse, names))
    twice = sorted({network.name for network in networks if networks.count(network) > 1})
    if twice or not networks:
        msg = f"Networks are named twice: {', '.join(twice)}." if twice else "No network is named."
        raise InputError(msg, hint="Name at least one, each of them once, for example `--network unet-small`.")
    return networks


def dice_matrix(masks: Sequence[Mask]) -> Floats:
    """Dice of each two of n masks of one shape, float64 [n, n]; two empty ones agree fully, as in `mask.dice`."""
    flat = np.stack([mask.ravel() for mask in masks]).astype(np.float32)
    shared = (flat @ flat.T).astype(np.float64)  # whole numbers below 2^24 are exact in float32
    sizes = np.diag(shared)
    total = sizes[:, None] + sizes
    return np.divide(2 * shared, total, out=np.ones_like(total), where=total > 0)


def best_subset(dice: Floats, n_members: int) -> Indices:
    """Rows [n_members], ascending, whose best Dice on each case has the highest mean.

    All subsets are tried where there are at most `MAX_EXHAUSTIVE`; the first of equal ones wins.

    Parameters
    ----------
    dice
        float64 [n_networks, n_cases] without nan.
    n_members
        1 to n_networks.
    """
    if not _is_exhaustive(len(dice), n_members):
        return _swap(dice, _add(dice, n_members))
    subsets = np.fromiter(chain.from_iterable(combinations(range(len(dice)), n_members)), np.int64)
    subsets = subsets.reshape(-1, n_members)
    n_chunks = 1 + len(subsets) * dice.shape[1] // CHUNK_VALUES
    values = [_values(dice, chunk) for chunk in np.array_split(subsets, n_chunks)]
    best: Indices = subsets[np.concatenate(values).argmax()]
    return best


def _is_exhaustive(n_networks: int, n_members: int) -> bool:
    return comb(n_networks, n_members) <= MAX_EXHAUSTIVE


def _values(dice: Floats, subsets: Indices) -> Floats:
    """Mean over cases of the best of each of `subsets` [n_subsets, n_members]."""
    best = dice[subsets[:, 0]]
    for column in subsets.T[1:]:
        np.maximum(best, dice[column], out=best)
    means: Floats = best.mean(axis=1)
    return means


def _add(dice: Floats, n_members: int) -> list[int]:
    """One network after the other, each the one that adds most."""
    members: list[int] = []
    best = np.zeros(dice.shape[1])
    for _ in range(n_members):
        gains = np.maximum(best, dice).sum(axis=1)
        gains[members] = -1
        members.append(int(gains.argmax()))
        best = np.maximum(best, dice[members[-1]])
    return members


def _swap(dice: Floats, members: list[int]) -> Indices:
    """Exchange one member for one outsider, the best exchange first, until none helps."""
    present = np.array(sorted(members))
    while True:
        outsiders = np.setdiff1d(np.arange(len(dice)), present)
        swaps = np.array([[*np.delete(present, i), new] for i in range(len(present)) for new in outsiders])
        values = _values(dice, swaps)
        if values.max() <= _values(dice, present[None])[0]:
            return present
        present = np.sort(swaps[values.argmax()])
