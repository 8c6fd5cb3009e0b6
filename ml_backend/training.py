"""The training child: `python -m ml_backend.training TASK.json` trains one network's folds in turn.

It writes one JSON object a line to standard output:

- ``{"event": "start", "network", "n_folds"}``
- ``{"event": "waiting", "fold", "key"}`` about once a second while another process works on the same run
- ``{"event": "progress", "fold", "key", "epoch", "n_epochs", "step", "n_steps", "loss", "learning_rate",
  "films_per_s", "eta_s", "validation_loss"}`` at each epoch's end and about once a second; `eta_s` is for all folds
  that remain, `validation_loss` null but at the end of an epoch with films held out
- ``{"event": "fold", "fold", "key", "was_done", "predictions", "wall_s"}`` when a fold is trained and predicted;
  `predictions` is null where there are no targets
- ``{"event": "done"}``, or ``{"event": "error", "code", "message", "hint"}`` with an exit status other than 0.

It may be killed at any moment: a file appears whole or not at all, a trained fold is never trained again, and an
unfinished one goes on after its last whole epoch. When nobody reads its output any more it ends.
"""

import fcntl
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.domain.errors import InputError, OverreadError, StateError
from db.domain.mask import Mask
from ml_backend.data import Film, PackedSet, save_maps
from ml_backend.publishing import discard_unfinished, publish
from ml_backend.task import TRAINING_VERSION, Fold, RunFolder, TrainingTask, file_digest
from ml_backend.views import viewed

if TYPE_CHECKING:
    from ml_backend.fitting import History, Progress, Trainer

Report = Callable[[dict[str, Any]], None]

WAIT_S = 1.0

SWITCH_S = 0.0005
"""After how long the thread that varies films gives way to the one that trains; Python's 5 ms is a tenth of a step."""


def main(arguments: Sequence[str]) -> int:
    """Run the task whose file `arguments` names; the exit status."""
    try:
        if len(arguments) != 1:
            msg = f"One task file is expected; {len(arguments)} arguments were received."
            raise InputError(msg, hint="python -m ml_backend.training TASK.json")  # noqa: TRY301 - reported like any other
        sys.setswitchinterval(SWITCH_S)
        run_task(TrainingTask.load(Path(arguments[0])), _print_line)
    except OverreadError as error:
        _print_line({"event": "error", "code": error.code, "message": error.message, "hint": error.hint})
        return error.exit_status
    except BrokenPipeError:  # the worker is gone; the next one starts a child that goes on from here
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        _print_line({"event": "error", "code": "crash", "message": f"{type(error).__name__}: {error}", "hint": ""})
        raise
    return 0


def run_task(task: TrainingTask, report: Report) -> None:
    """Train what is not trained yet and predict what is not predicted yet, fold by fold."""
    packed = PackedSet.load(task.data)
    child = _Child(task, packed, report)
    report({"event": "start", "network": task.spec.network.name, "n_folds": len(task.folds)})
    for number, (fold, folder) in enumerate(task.run_folders(packed), start=1):
        child.run_fold(fold, folder, n_folds_after=len(task.folds) - number)
    report({"event": "done"})


@dataclass
class _Child:
    task: TrainingTask
    packed: PackedSet
    report: Report

    @cached_property
    def trainer(self) -> "Trainer":
        """Made when first needed: a task whose folds are all done must not pay for loading Keras."""
        from ml_backend.fitting import Trainer  # noqa: PLC0415 - see above

        start = self.task.start
        digest = file_digest(start) if start else None
        if digest != self.task.spec.start:
            msg = f"The training starts from weights {self.task.spec.start}; the file given has {digest}."
            raise InputError(msg, hint="Name the file whose digest is in the training's specification.")
        return Trainer(self.task.spec, start=start)

    def run_fold(self, fold: Fold, folder: RunFolder, *, n_folds_after: int) -> None:
        started = time.monotonic()
        names = {"fold": fold.name, "key": folder.key}
        with _locked(folder.lock, while_waiting=lambda: self.report({"event": "waiting", **names})):
            discard_unfinished(folder.path)
            was_done = folder.is_done
            if not was_done:
                self._train(fold, folder, n_folds_after=n_folds_after)
            predictions = self._predict(fold, folder) if fold.targets else None
        wall_s = round(time.monotonic() - started, 3)
        outcome = {"was_done": was_done, "predictions": str(predictions) if predictions else None, "wall_s": wall_s}
        self.report({"event": "fold", **names, **outcome})

    def _train(self, fold: Fold, folder: RunFolder, *, n_folds_after: int) -> None:
        from ml_backend import weights  # noqa: PLC0415 - loads Keras

        def report(progress: "Progress") -> None:
            line = asdict(progress)
            n_fold_steps = progress.n_epochs * progress.n_steps
            n_films_left = (line.pop("n_steps_left") + n_folds_after * n_fold_steps) * self.task.spec.batch_size
            line |= {"loss": round(progress.loss, 5), "films_per_s": round(progress.films_per_s, 2)}
            line["eta_s"] = round(n_films_left / progress.films_per_s, 1)
            self.report({"event": "progress", "fold": fold.name, "key": folder.key, **line})

        def keep(path: Path) -> None:
            weights.save_model(self.trainer.model, path, text={weights.CORPUS: self._corpus})

        history = self._fit(fold, folder, report, keep)
        keep(folder.last)
        with publish(folder.checkpoint) as temporary:
            _second_name(folder.best if fold.validation else folder.last, temporary)
        with publish(folder.card) as temporary:
            temporary.write_text(json.dumps(self._card(fold, folder, history), indent=1))
        with publish(folder.marker) as temporary:
            temporary.touch()
        folder.state.unlink(missing_ok=True)

    def _examples(self, keys: Iterable[str]) -> tuple[Film, Mask]:
        rows = self.packed.rows(sorted(keys))
        return self.packed.films[rows], self.packed.masks[rows]

    def _fit(
        self, fold: Fold, folder: RunFolder, report: "Callable[[Progress], None]", keep: Callable[[Path], None]
    ) -> "History":
        try:
            return self.trainer.fit(
                *self._examples(fold.train),
                state=folder.state,
                report=report,
                on_best=lambda: keep(folder.best),
                validation=self._examples(fold.validation) if fold.validation else None,
            )
        except StateError as error:
            kept = "No epoch had ended before."
            if folder.state.exists():
                keep(folder.last)
                kept = f"The network after the epoch before is kept: {folder.last}."
            msg = f"{error.message} {kept}"
            raise StateError(msg, hint=error.hint) from None

    @cached_property
    def _start_corpus(self) -> str:
        """What the weights saw that the training starts from."""
        from ml_backend import weights  # noqa: PLC0415 - loads Keras

        if self.task.start is None:
            return ""
        return weights.load_arrays(self.task.start)[1].get(weights.CORPUS, "unknown")

    @property
    def _corpus(self) -> str:
        return "; ".join(filter(None, (self._start_corpus, self.task.corpus)))

    def _predict(self, fold: Fold, folder: RunFolder) -> Path:
        path = folder.predictions(self.packed, fold)
        if not path.exists():
            from ml_backend import inference, weights  # noqa: PLC0415 - loads Keras

            weights.load_model(self.trainer.model, folder.checkpoint)
            films = self.packed.films[self.packed.rows(fold.targets)]
            forward = partial(inference.predict, self.trainer.model)
            save_maps(path, fold.targets, viewed(forward, self.task.spec.n_views, self.task.spec.variation)(films))
        return path

    def _card(self, fold: Fold, folder: RunFolder, history: "History") -> dict[str, Any]:
        import keras  # noqa: PLC0415 - loaded by the trainer already

        backend = keras.config.backend()
        model = self.trainer.model
        return {
            "key": folder.key,
            "checkpoint": file_digest(folder.checkpoint),
            "spec": self.task.spec.to_json(),
            "initial_weights": {"digest": self.task.spec.start, "corpus": self._start_corpus}
            if self.task.spec.start
            else "random",
            "fold": fold.name,
            "train": sorted(fold.train),
            "validation": sorted(fold.validation),
            "data": self.packed.digest(fold.seen),
            "training_version": TRAINING_VERSION,
            "versions": {name: _version(name) for name in ("overread", "keras", backend, "numpy")},
            "backend": backend,
            "n_parameters": {
                "trainable": sum(math.prod(variable.shape) for variable in model.trainable_weights),
                "non_trainable": sum(math.prod(variable.shape) for variable in model.non_trainable_weights),
            },
            "losses": history.losses,
            "validation_losses": history.validation_losses,
            "best_epoch": history.best_epoch,
            "epoch": history.best_epoch if fold.validation else len(history.losses),
            "wall_s": round(history.wall_s, 3),
        }


def _second_name(path: Path, name: Path) -> None:
    """The same file by another name, or a copy where the file system knows no hard links."""
    try:
        name.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, name)


@contextmanager
def _locked(path: Path, while_waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the exclusive lock on `path`; it ends with the block or with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as opened:
        while True:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                while_waiting()
                time.sleep(WAIT_S)
        yield


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _print_line(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
