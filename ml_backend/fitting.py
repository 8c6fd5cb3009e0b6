"""The training loop: one network, built and traced once, fitted to any number of folds in turn."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from db.domain.errors import InputError, StateError
from db.domain.mask import Mask
from ml_backend import weights
from ml_backend.batching import Batches
from ml_backend.data import Film
from ml_backend.losses import hybrid_loss
from ml_backend.networks import build
from ml_backend.task import TrainingSpec

REPORT_EVERY_S = 1.0

MIDDLE_GREY = 128


@dataclass(frozen=True)
class Progress:
    """How far a fold is; epochs and steps count from 1, `loss` is the mean over the epoch so far.

    The last of an epoch has its `validation_loss`, where films are held out.
    """

    epoch: int
    n_epochs: int
    step: int
    n_steps: int
    loss: float
    learning_rate: float
    films_per_s: float
    n_steps_left: int
    validation_loss: float | None = None


@dataclass(frozen=True)
class History:
    """What a training leaves behind besides its weights: the mean losses of each epoch, and its duration."""

    losses: tuple[float, ...] = ()
    validation_losses: tuple[float, ...] = ()
    wall_s: float = 0.0

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, with the smallest loss on the films held out or, without such, in training; 0 at first."""
        losses = self.validation_losses or self.losses
        return 1 + min(range(len(losses)), key=losses.__getitem__, default=-1)

    def is_over(self, spec: TrainingSpec) -> bool:
        """Whether all epochs are done, or the best one lies too far back for the patience."""
        n_done = len(self.losses)
        return n_done >= spec.epochs or (spec.patience is not None and n_done >= self.best_epoch + spec.patience)

    @classmethod
    def from_json(cls, text: str) -> "History":
        """The inverse of the JSON of `asdict`."""
        values = json.loads(text)
        return cls(tuple(values["losses"]), tuple(values["validation_losses"]), values["wall_s"])


class Trainer:
    """A network ready to be trained again and again from the same first weights."""

    def __init__(self, spec: TrainingSpec, *, start: Path | None = None) -> None:
        self.spec = spec
        keras.utils.set_random_seed(spec.seed)
        _spread_over_devices(spec.batch_size)
        with _precision(spec.precision):
            self.model = build(spec.network, input_size=spec.input_size, weights=start)
        self.model.compile(
            keras.optimizers.Adam(spec.learning_rate, beta_1=0.9, beta_2=0.999),
            loss=partial(hybrid_loss, **asdict(spec.loss)),
            jit_compile=keras.config.backend() == "jax",  # on TensorFlow it costs minutes and gains nothing here
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self._first = weights.read(self.variables)

    @property
    def variables(self) -> list[keras.Variable]:
        """All that an epoch changes: weights and optimizer."""
        return [*self.model.weights, *self.model.optimizer.variables]

    def fit(  # noqa: PLR0913 - the films, those held out, and where things go
        self,
        films: Film,
        masks: Mask,
        *,
        state: Path,
        report: Callable[[Progress], None],
        on_best: Callable[[], None] = lambda: None,
        validation: tuple[Film, Mask] | None = None,
    ) -> History:
        """Train on films uint8 and masks bool [n, side, side] until the last epoch, or until patience ends.

        After each epoch weights, optimizer and history go to `state`; where that file exists, training goes on after
        its epoch, and ends with the same weights as if it had never stopped. `on_best` is called before that whenever
        the epoch is the best so far, by `validation` (films and masks) or, without, in training.

        Raises
        ------
        InputError
            If the films have another size than the network's input, or no film is infected.
        StateError
            If the loss is no longer a number; the network is as after the last whole epoch then, which `state` keeps.
        """
        self._check(films, masks)
        history = self._resume(state)
        if history.is_over(self.spec):
            return history
        batches = Batches(films, masks, self.spec, self.spec.seed)
        watch = _Watch(self, history, batches.n_steps, report=report, state=state, on_best=on_best)
        held_out = None if validation is None else tuple(_filled(array)[..., None] for array in validation)
        try:
            self.model.fit(
                batches.generate(first_epoch=len(history.losses) + 1),
                steps_per_epoch=batches.n_steps,
                initial_epoch=len(history.losses),
                epochs=self.spec.epochs,
                validation_data=held_out,
                validation_batch_size=self.spec.batch_size,
                shuffle=False,
                callbacks=[watch],
                verbose=0,
            )
        except StateError:
            self._resume(state)
            raise
        return watch.history

    def learning_rate(self, epoch: int) -> float:
        """The rate of an epoch, from 1: in the middle of it, where it changes over the training."""
        spec = self.spec
        if epoch <= spec.warmup_epochs:
            return spec.learning_rate * epoch / (spec.warmup_epochs + 1)
        if spec.schedule == "cosine":
            share_done = (epoch - spec.warmup_epochs - 0.5) / (spec.epochs - spec.warmup_epochs)
            return spec.learning_rate * 0.5 * (1.0 + math.cos(math.pi * share_done))
        return spec.learning_rate

    def _resume(self, state: Path) -> History:
        if not state.exists():
            weights.assign(self.variables, self._first)
            return History()
        arrays, text = weights.load_arrays(state)
        weights.assign(self.variables, arrays)
        return History.from_json(text["history"])

    def _check(self, films: Film, masks: Mask) -> None:
        side = self.spec.input_size
        if films.shape[1:] != (side, side):
            msg = f"The network takes films of {side}x{side}; the packed set holds {films.shape[2]}x{films.shape[1]}."
            raise InputError(msg, hint="Pack the films at the input size of the training.")
        if not masks.any():
            msg = f"None of the {len(masks)} training films is infected."
            raise InputError(msg, hint="Use fewer folds, or finalize more masks.")


class _Watch(keras.callbacks.Callback):
    """Sees to a training: sets the rate, reports, stops what diverges, keeps each epoch."""

    def __init__(  # noqa: PLR0913 - what it sees to
        self,
        trainer: Trainer,
        history: History,
        n_steps: int,
        *,
        report: Callable[[Progress], None],
        state: Path,
        on_best: Callable[[], None],
    ) -> None:
        super().__init__()
        self.history = history
        self._trainer, self._spec = trainer, trainer.spec
        self._n_steps = n_steps
        self._report, self._state, self._on_best = report, state, on_best
        self._clock = _Clock(trainer.spec.batch_size)
        self._started = time.monotonic()

    @property
    def _epoch(self) -> int:
        return len(self.history.losses) + 1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002 - Keras' signature
        self._started = time.monotonic()
        self.model.optimizer.learning_rate = self._trainer.learning_rate(self._epoch)
        self._clock = _Clock(self._spec.batch_size)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401
        step = batch + 1
        self._clock.tick()
        if self._clock.is_due and step < self._n_steps:
            self._tell(self._epoch, step, self._checked(logs["loss"], step))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002
        loss = self._checked(logs["loss"], self._n_steps)
        held_out = self._checked(logs["val_loss"], self._n_steps) if "val_loss" in logs else None
        self._require_finite_maps()
        past, wall_s = self.history, time.monotonic() - self._started
        validation_losses = past.validation_losses if held_out is None else (*past.validation_losses, held_out)
        self.history = History((*past.losses, loss), validation_losses, past.wall_s + wall_s)
        if self.history.best_epoch == len(self.history.losses):
            self._on_best()
        text = {"history": json.dumps(asdict(self.history))}
        weights.save_arrays(weights.read(self._trainer.variables), self._state, text=text)
        self._tell(len(self.history.losses), self._n_steps, loss, held_out)  # only now: what is counted is kept
        self.model.stop_training = self.history.is_over(self._spec)

    def _require_finite_maps(self) -> None:
        """The loss of the last step was computed before its update: look at what the network makes of a film now."""
        side = self._spec.input_size
        film = np.full((1, side, side, 1), MIDDLE_GREY, np.float32)
        film[:, : side // 2] = 0
        self._checked(np.sum(self.model.predict_on_batch(film)), self._n_steps)

    def _tell(self, epoch: int, step: int, loss: float, validation_loss: float | None = None) -> None:
        progress = Progress(
            epoch=epoch,
            n_epochs=self._spec.epochs,
            step=step,
            n_steps=self._n_steps,
            loss=loss,
            learning_rate=self._trainer.learning_rate(epoch),
            films_per_s=self._clock.films_per_s,
            n_steps_left=(self._spec.epochs - epoch + 1) * self._n_steps - step,
            validation_loss=validation_loss,
        )
        self._report(progress)

    def _checked(self, loss: Any, step: int) -> float:  # noqa: ANN401 - a tensor, whichever the back end
        value = float(loss)
        if not math.isfinite(value):
            msg = (
                f"Training of {self._spec.network.name} diverged in epoch {self._epoch}, by step {step}: "
                f"its loss is {value}."
            )
            raise StateError(msg, hint=f"Lower the learning rate, now {self._spec.learning_rate:g}.")
        return value


class _Clock:
    """Speed since an epoch's first step, which traces the network at times and would spoil the estimate."""

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


@contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Networks built in the block compute so; their weights are float32 all the same."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _filled(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`rows`, the first of them again so that devices which share a batch have equally many."""
    n_devices = len(keras.distribution.list_devices()) if keras.distribution.distribution() else 1
    return np.resize(rows, (math.ceil(len(rows) / n_devices) * n_devices, *rows.shape[1:]))


def _spread_over_devices(batch_size: int) -> None:
    """Let every device of this machine take its part of each batch. Only JAX can; else give each GPU its own worker."""
    if keras.config.backend() != "jax":
        return
    n_devices = len(keras.distribution.list_devices())
    if n_devices > 1 and batch_size % n_devices == 0:
        keras.distribution.set_distribution(keras.distribution.DataParallel())
