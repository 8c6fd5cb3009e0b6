"""Which loss detects and segments best on balanced films, half of them without infection: the table of ADR 5.

`.venv/bin/python tests/benchmark/losses.py --folder build/losses --seeds 2`; 22 s a training at best on one core, 24
trainings a seed on phantom films and 48 on real ones. Every loss gets the same first weights, batches and
augmentation for a seed. Results are kept in the folder as they come: an interrupted run goes on, and `--seeds 3` adds
to what `--seeds 2` has measured. Phantom films are simulated; real ones are used where they lie beside the checkout.
"""

import json
import tempfile
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import keras
import numpy as np
from keras import ops
from real_films import FOLDER, real_films  # type: ignore[import-not-found]  # beside this script
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from db.domain.mask import THRESHOLD, dice
from db.domain.network import NetworkSpec
from db.domain.recipe import TrainingRecipe
from ml_backend import weights
from ml_backend.data import PackedSet
from ml_backend.fitting import Trainer
from ml_backend.inference import predict
from ml_backend.losses import dice_loss, focal_loss, hybrid_loss
from ml_backend.task import TrainingSpec
from pipelines.simulate import CONSPICUOUS, SUBTLE, make_phantom

SIDE_PX = 96
RECIPE = TrainingRecipe(
    input_size=SIDE_PX, epochs=10, batch_size=8, steps_per_epoch=30, schedule="cosine", augment="all", variation="paper"
)
"""Its own, so that the table does not move with a preset."""

SPEC = TrainingSpec.of(NetworkSpec.parse("unet-small"), RECIPE)
N_TRAIN, N_TEST, N_PRETEXT = 320, 400, 160
N_FOLDS = 2
STARTS = {"scratch": 3e-3, "pretext": 1e-3}
"""Learning rate of each start."""


def infected_dice(y_true, y_pred):
    """Dice without smoothing, the mean over infected films alone."""
    mask, probability = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    axes = tuple(range(1, len(mask.shape)))
    infected = ops.cast(ops.any(mask > 0, axis=axes), "float32")
    sizes = ops.sum(mask, axis=axes) + ops.sum(probability, axis=axes)
    lost = 1 - 2 * ops.sum(mask * probability, axis=axes) / ops.maximum(sizes, keras.config.epsilon())
    return ops.sum(infected * lost) / ops.maximum(ops.sum(infected), 1)


def tversky_loss(y_true, y_pred, *, alpha=0.3, beta=0.7, smoothing=1.0):
    """Over the batch; `alpha` weighs false pixels, `beta` missed ones. Source: Salehi et al., arXiv:1706.05721."""
    mask, probability = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
    found = ops.sum(mask * probability)
    false, missed = ops.sum((1 - mask) * probability), ops.sum(mask * (1 - probability))
    return 1 - (found + smoothing) / (found + alpha * false + beta * missed + smoothing)


def focal_tversky_loss(y_true, y_pred):
    """The power 3/4 of the Tversky loss. Source: Abraham and Khan, arXiv:1810.07842."""
    return ops.power(ops.maximum(tversky_loss(y_true, y_pred), keras.config.epsilon()), 0.75)


def cross_entropy(y_true, y_pred):
    return ops.mean(ops.binary_crossentropy(ops.cast(y_true, "float32"), y_pred))


def total(*parts):
    """The plain sum of losses."""

    def loss(y_true, y_pred):
        return sum(part(y_true, y_pred) for part in parts)

    return loss


LOSSES = {
    "film Dice, 0": partial(hybrid_loss, over="film", smoothing=0.0),
    "film Dice, 1": partial(hybrid_loss, over="film", smoothing=1.0),
    "film Dice, 10": partial(hybrid_loss, over="film", smoothing=10.0),
    "film Dice, 100": partial(hybrid_loss, over="film", smoothing=100.0),
    "batch Dice, 1e-5": partial(hybrid_loss, over="batch", smoothing=1e-5),
    "batch Dice, 1": partial(hybrid_loss, over="batch", smoothing=1.0),
    "batch Dice, 100": partial(hybrid_loss, over="batch", smoothing=100.0),
    "Dice of infected": total(infected_dice, focal_loss),
    "focal alone": focal_loss,
    "BCE + batch Dice": total(cross_entropy, partial(dice_loss, over="batch", smoothing=1.0)),
    "batch Tversky": total(tversky_loss, focal_loss),
    "focal Tversky": focal_tversky_loss,
}
"""By the name in the table; the number is the smoothing. With the focal term, but for the last, `BCE` and `alone`."""


@dataclass(frozen=True)
class Split:
    """What is learned from, and what is scored."""

    train: PackedSet
    test: PackedSet


@dataclass(frozen=True)
class Run:
    """One row of the results: a loss on one kind of films, from one start, with one seed."""

    films: str
    start: str
    loss: str
    seed: int


class Bench:
    """Films, first weights and results, each made once and kept in a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.results = folder / "results.jsonl"
        self._splits = {}

    def done(self):
        """The scores of every run so far."""
        lines = self.results.read_text().splitlines() if self.results.exists() else []
        rows = [json.loads(line) for line in lines]
        return {Run(**row["run"]): row["scores"] for row in rows}

    def measure(self, run):
        began = time.perf_counter()
        start = self.pretext(run.films, run.seed) if run.start == "pretext" else None
        spec = replace(SPEC, seed=run.seed, learning_rate=STARTS[run.start])
        masks, maps = [], []
        trainer = trainer_with(LOSSES[run.loss], spec, start=start)
        for split in self.splits(run.films):
            masks.append(split.test.masks)
            maps.append(predict(train(trainer, split.train), split.test.films))
        found = scores(np.concatenate(masks), np.concatenate(maps))
        with self.results.open("a") as file:
            file.write(json.dumps({"run": vars(run), "scores": found}) + "\n")
        figures = " ".join(f"{name} {value:.3f}" for name, value in found.items())
        print(f"{run.films:8} {run.start:8} {run.loss:17} {run.seed} {figures} {time.perf_counter() - began:.0f} s")

    def splits(self, films):
        """One split of phantom films, or the patient-wise folds of the real ones."""
        if films not in self._splits:
            self._splits[films] = folds(real_films(SIDE_PX)) if films == "real" else [self.phantom_split()]
        return self._splits[films]

    def phantom_split(self):
        return Split(self.phantoms("train", N_TRAIN, seed=1), self.phantoms("test", N_TEST, seed=2))

    def phantoms(self, name, n_films, *, seed, truth="infection"):
        path = self.folder / f"phantoms-{name}.npz"
        if not path.exists():
            phantoms(n_films, seed=seed, truth=truth).save(path)
        return PackedSet.load(path)

    def pretext(self, films, seed):
        """Weights that know phantom lungs (for phantom films) or phantom infection (for real ones).

        Cross-entropy makes them, so that no loss under test starts from its own work.
        """
        path = self.folder / f"pretext-{films}-{seed}.safetensors"
        if not path.exists():
            lungs = films == "phantoms"
            data = self.phantoms("lungs", N_PRETEXT, seed=3, truth="lung") if lungs else self.phantom_split().train
            epochs = SPEC.epochs // 2 if lungs else SPEC.epochs
            spec = replace(SPEC, seed=1000 + seed, epochs=epochs, balance=not lungs, learning_rate=STARTS["scratch"])
            weights.save_model(train(trainer_with(cross_entropy, spec), data), path)
        return path


def trainer_with(loss, spec, *, start=None):
    """The project's trainer, but for its loss."""
    keras.utils.clear_session()  # else the networks of all runs stay in memory
    trainer = Trainer(spec, start=start)
    trainer.model.compile(trainer.model.optimizer, loss=loss, jit_compile=keras.config.backend() == "jax")
    return trainer


def train(trainer, data):
    """The network, trained on `data` from its first weights."""
    with tempfile.TemporaryDirectory() as folder:
        trainer.fit(data.films, data.masks, state=Path(folder) / "state.safetensors", report=lambda _: None)
    return trainer.model


def scores(masks, maps):
    """Of the masks bool and the probability maps float32, both [n, side, side], of all test films."""
    infected = masks.any(axis=(1, 2))
    marked = maps >= THRESHOLD
    peaks = maps.max(axis=(1, 2))
    called = peaks >= THRESHOLD
    return {
        "dice": float(np.mean([dice(a, b) for a, b in zip(masks[infected], marked[infected], strict=True)])),
        "pixel F1": dice(masks, marked),
        "sensitivity": float(called[infected].mean()),
        "specificity": float(1 - called[~infected].mean()),
        "film F1": float(f1_score(infected, called, zero_division=0)),
        "film AUC": float(roc_auc_score(infected, peaks)),
    }


def phantoms(n_films, *, seed, truth):
    """Half infected, half healthy; both presets in turn, so that subtle and conspicuous lesions are as many."""
    made = [
        make_phantom(
            np.random.default_rng([seed, i]),
            side_px=SIDE_PX,
            infected=i % 2 == 0,
            preset=(SUBTLE, CONSPICUOUS)[i // 2 % 2],
        )
        for i in range(n_films)
    ]
    keys = tuple(f"p{seed}-{i:04}" for i in range(n_films))
    return PackedSet(keys, np.stack([p.film for p in made]), np.stack([getattr(p, truth) for p in made]))


def folds(data):
    infected = data.masks.any(axis=(1, 2))
    patients = [key.split("/")[0] for key in data.keys]
    folded = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0).split(data.films, infected, patients)
    return [Split(part(data, learned), part(data, tested)) for learned, tested in folded]


def part(data, rows):
    return PackedSet(tuple(data.keys[row] for row in rows), data.films[rows], data.masks[rows])


def table(done):
    """A Markdown table for each kind of films and start: the mean over seeds, and half the range."""
    for films, start in sorted({(run.films, run.start) for run in done}):
        of_table = {run: found for run, found in done.items() if (run.films, run.start) == (films, start)}
        names = list(next(iter(of_table.values())))
        print(f"\n### {films}, {start}\n\n| loss | seeds | {' | '.join(names)} |\n|{' --- |' * (len(names) + 2)}")
        for loss in LOSSES:
            rows = [found for run, found in of_table.items() if run.loss == loss]
            if rows:
                cells = [spread([row[name] for row in rows]) for name in names]
                print(f"| {loss} | {len(rows)} | {' | '.join(cells)} |")


def spread(values):
    return f"{np.mean(values):.3f} ± {np.ptp(values) / 2:.3f}"


@click.command()
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Films and results.")
@click.option("--seeds", default=2, show_default=True, help="Trainings of each loss from each start.")
@click.option("--films", type=click.Choice(["phantoms", "real"]), multiple=True, help="Both, unless given.")
@click.option("--loss", "names", type=click.Choice(list(LOSSES)), multiple=True, help="All, unless given.")
@click.option("--only-table", is_flag=True, help="Print what was measured before, and train nothing.")
def main(folder, seeds, films, names, only_table):
    """Train the same network with each loss, and print how it detects and segments."""
    bench = Bench(folder)
    there = [kind for kind in films or ("phantoms", "real") if kind == "phantoms" or FOLDER.exists()]
    wanted = [
        Run(kind, start, loss, seed)
        for seed in range(seeds)
        for kind in there
        for loss in names or LOSSES
        for start in STARTS
    ]
    done = bench.done()
    for run in wanted:
        if run not in done and not only_table:
            bench.measure(run)
    table(bench.done())


if __name__ == "__main__":
    main()
