"""The training loop: one network, built and traced once, fitted to any number of folds in turn."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from db.domain.errors import InputError, StateError
from db.domain.mask import Mask
from ml_backend import weights
from ml_backend.augmentation import augment, balance
from ml_backend.data import Film
from ml_backend.losses import hybrid_loss
from ml_backend.networks import build
from ml_backend.task import TrainingSpec

REPORT_EVERY_S = 1.0


@dataclass(frozen=True)
class Progress:
    """How far a fold is; epochs and steps count from 1, `loss` is the mean over the epoch so far."""

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    loss: float
    films_per_s: float
    n_steps_left: int


@dataclass(frozen=True)
class History:
    """What a finished training leaves behind besides its weights: the mean loss of each epoch, and its duration."""

    losses: tuple[float, ...] = ()
    wall_s: float = 0.0


class Trainer:
    """A network ready to be trained again and again from the same first weights."""

    def __init__(self, spec: TrainingSpec, *, start: Path | None = None) -> None:
        self.spec = spec
        keras.utils.set_random_seed(spec.seed)
        self.model = build(spec.network, input_size=spec.input_size, weights=start)
        self._optimizer = keras.optimizers.Adam(spec.learning_rate, beta_1=0.9, beta_2=0.999)
        self._optimizer.build(self.model.trainable_variables)
        self.model.compile(
            self._optimizer,
            loss=partial(hybrid_loss, **asdict(spec.loss)),
            jit_compile=keras.config.backend() == "jax",  # on TensorFlow it costs minutes and gains nothing here
        )
        self._first = weights.read(self._variables)

    @property
    def _variables(self) -> list[keras.Variable]:
        return [*self.model.weights, *self._optimizer.variables]

    def fit(self, films: Film, masks: Mask, *, state: Path, report: Callable[[Progress], None]) -> History:
        """Train on films uint8 and masks bool [n, side, side] until the last epoch.

        After each epoch weights, optimizer and history go to `state`; where that file exists, training goes on after
        its epoch, and ends with the same weights as if it had never stopped.

        Raises
        ------
        InputError
            If the films have another size than the network's input, or no film is infected.
        StateError
            If the loss is no longer a number; the state of the epoch before is kept.
        """
        self._check(films, masks)
        history = self._resume(state)
        is_infected = np.any(masks, axis=(1, 2))
        for epoch in range(len(history.losses) + 1, self.spec.epochs + 1):
            started = time.monotonic()
            loss = self._fit_epoch(epoch, films, masks, rows=self._batches(is_infected, epoch), report=report)
            history = History((*history.losses, loss), history.wall_s + time.monotonic() - started)
            weights.save_arrays(weights.read(self._variables), state, text={"history": json.dumps(asdict(history))})
        return history

    def _fit_epoch(
        self, epoch: int, films: Film, masks: Mask, *, rows: npt.NDArray[np.intp], report: Callable[[Progress], None]
    ) -> float:
        rng = np.random.default_rng([self.spec.seed, epoch, 1])
        n_steps = len(rows)
        total = 0.0
        clock = _Clock(self.spec.batch_size)
        for step, batch in enumerate(rows, start=1):
            self._optimizer.learning_rate = self._learning_rate((epoch - 1 + (step - 1) / n_steps) / self.spec.epochs)
            batch_films, batch_masks = films[batch].astype(np.float32), masks[batch]
            if self.spec.augment:
                batch_films, batch_masks = augment(batch_films, batch_masks, rng)
            total += float(self.model.train_on_batch(batch_films[..., None], batch_masks[..., None]))
            if not math.isfinite(total):
                msg = (
                    f"Training of {self.spec.network.name} diverged in epoch {epoch}, step {step}: its loss is {total}."
                )
                raise StateError(msg, hint=f"Lower the learning rate, now {self.spec.learning_rate:g}.")
            clock.tick()
            if clock.is_due or step == n_steps:
                n_left = n_steps - step + (self.spec.epochs - epoch) * n_steps
                report(Progress(epoch, self.spec.epochs, step, n_steps, total / step, clock.films_per_s, n_left))
        return total / n_steps

    def _learning_rate(self, share_done: float) -> float:
        """At `share_done` 0..1 of the training."""
        if self.spec.schedule == "cosine":
            return self.spec.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share_done))
        return self.spec.learning_rate

    def _batches(self, is_infected: npt.NDArray[np.bool_], epoch: int) -> npt.NDArray[np.intp]:
        """Row numbers [n_steps, batch_size] of an epoch; they depend on the seed and the epoch alone."""
        rng = np.random.default_rng([self.spec.seed, epoch, 0])
        pool = balance(is_infected, rng) if self.spec.balance else np.arange(len(is_infected))
        n_steps = self.spec.steps_per_epoch or math.ceil(len(pool) / self.spec.batch_size)
        n_rows = n_steps * self.spec.batch_size
        order = np.concatenate([rng.permutation(pool) for _ in range(math.ceil(n_rows / len(pool)))])
        return order[:n_rows].reshape(n_steps, self.spec.batch_size)

    def _resume(self, state: Path) -> History:
        if not state.exists():
            weights.assign(self._variables, self._first)
            return History()
        arrays, text = weights.load_arrays(state)
        weights.assign(self._variables, arrays)
        values = json.loads(text["history"])
        return History(tuple(values["losses"]), values["wall_s"])

    def _check(self, films: Film, masks: Mask) -> None:
        side = self.spec.input_size
        if films.shape[1:] != (side, side):
            msg = f"The network takes films of {side}x{side}; the packed set holds {films.shape[2]}x{films.shape[1]}."
            raise InputError(msg, hint="Pack the films at the input size of the training.")
        if not masks.any():
            msg = f"None of the {len(masks)} training films is infected."
            raise InputError(msg, hint="Use fewer folds, or finalize more masks.")


class _Clock:
    """Speed since the first step, which traces the network and would spoil the estimate."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._n_steps = 0
        self._started = self._reported = time.monotonic()
        self.films_per_s = 0.0

    def tick(self) -> None:
        """Count one step."""
        now = time.monotonic()
        self._n_steps += 1
        n_timed = max(self._n_steps - 1, 1)
        self.films_per_s = n_timed * self._batch_size / max(now - self._started, 1e-9)
        if self._n_steps == 1:
            self._started = now

    @property
    def is_due(self) -> bool:
        """Whether the last report is long enough ago."""
        now = time.monotonic()
        if now - self._reported < REPORT_EVERY_S:
            return False
        self._reported = now
        return True
