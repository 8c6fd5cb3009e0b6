"""Which films make up each batch of an epoch, and how they are varied."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from db.domain.mask import Mask
from db.domain.recipe import TrainingRecipe
from ml_backend.augmentation import augment, balance
from ml_backend.data import Film

Pair = tuple[npt.NDArray[np.float32], Mask]
"""Films [n, side, side, 1] and their masks, as a network takes them."""


@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of a training on films uint8 and masks bool [n, side, side]; equal seeds give equal batches."""

    films: Film
    masks: Mask
    recipe: TrainingRecipe
    seed: int

    @property
    def n_steps(self) -> int:
        """Batches in an epoch."""
        return self.recipe.steps_per_epoch or math.ceil(len(self._pool(0)[0]) / self.recipe.batch_size)

    def rows(self, epoch: int) -> tuple[npt.NDArray[np.intp], Mask]:
        """Row numbers [n_steps, batch_size] of an epoch, and which of them are repeats that balance the classes."""
        pool, is_repeat = self._pool(epoch)
        rng = np.random.default_rng([self.seed, epoch, 0])
        n_rows = self.n_steps * self.recipe.batch_size
        order = np.concatenate([rng.permutation(len(pool)) for _ in range(math.ceil(n_rows / len(pool)))])[:n_rows]
        shape = (self.n_steps, self.recipe.batch_size)
        return pool[order].reshape(shape), is_repeat[order].reshape(shape)

    def generate(self, *, first_epoch: int) -> Iterator[Pair]:
        """The batches of `first_epoch` (from 1) and of all that follow, without end."""
        for epoch in count(first_epoch):
            rng = np.random.default_rng([self.seed, epoch, 1])
            for rows, is_repeat in zip(*self.rows(epoch), strict=True):
                yield self._batch(rows, is_repeat, rng)

    def _batch(self, rows: npt.NDArray[np.intp], is_repeat: Mask, rng: np.random.Generator) -> Pair:
        films, masks = self.films[rows].astype(np.float32), self.masks[rows]
        which = {"none": np.zeros_like(is_repeat), "repeats": is_repeat, "all": np.ones_like(is_repeat)}[
            self.recipe.augment
        ]
        varied = self.films[rows[which]], masks[which]
        films[which], masks[which] = augment(*varied, rng, variation=self.recipe.variation)
        return films[..., None], masks[..., None]

    def _pool(self, epoch: int) -> tuple[npt.NDArray[np.intp], Mask]:
        is_infected = np.any(self.masks, axis=(1, 2))
        if not self.recipe.balance:
            return np.arange(len(is_infected)), np.zeros(len(is_infected), np.bool_)
        return balance(is_infected, np.random.default_rng([self.seed, epoch, 2]))
