"""The preset `laptop`, cross-validated on the real films beside the checkout: a script, for it takes most of an hour.

`.venv/bin/python tests/benchmark/yardstick.py --folder build/yardstick`

44 films with a radiologist's infection mask and 63 normal ones of other patients and another source, five folds by
patient. Each network first learns the pretext (phantom films, simulated). Scores are those of out-of-fold maps at the
network's size: each network's, and the mean map's of all, which is what `overread predict` makes.

The yardstick to match: mean Dice 0.55, pooled pixel F1 0.70, any-pixel sensitivity 0.78 and specificity 0.73.
Everything is kept in the folder, so that an interrupted run goes on.
"""

import time
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
from real_films import real_films  # type: ignore[import-not-found]  # beside this script
from sklearn.model_selection import StratifiedGroupKFold

from db.domain.mask import THRESHOLD, dice
from db.domain.network import NetworkSpec
from db.domain.specs import laptop
from ml_backend.data import PackedSet, load_maps
from ml_backend.task import Fold, TrainingSpec, TrainingTask, file_digest
from ml_backend.training import run_task
from pipelines.simulate.pretext import make_pretext

N_FOLDS = 5
N_SIZES = 3


def folds(packed):
    """Five folds by patient, with as many infected films in each."""
    infected = packed.masks.any(axis=(1, 2))
    patients = [key.split("/")[0] for key in packed.keys]
    splits = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=0).split(packed.films, infected, patients)
    keys = np.array(packed.keys)
    return tuple(Fold(str(i), tuple(keys[train]), tuple(keys[test])) for i, (train, test) in enumerate(splits))


def cross_validate(spec, packed, folder, start):
    """The out-of-fold maps float32 [n, side, side] of one network, in the order of the set."""
    maps = {}

    def listen(line):
        if line["event"] == "fold":
            maps.update(load_maps(Path(line["predictions"])))

    run_task(TrainingTask(spec, folder / "films.npz", folder / "runs", folds(packed), "real films", start), listen)
    return np.stack([maps[key] for key in packed.keys])


def learn_pretext(spec, folder):
    """The file of the weights that a network starts from."""
    data = folder / "pretext.npz"
    if not data.exists():
        make_pretext(spec.pretext, spec.input_size).save(data)
    packed = PackedSet.load(data)
    fold = Fold("pretext", packed.keys)
    task = TrainingTask(spec.pretext_recipe, data, folder / "runs", (fold,), "phantom films (simulated)")
    run_task(task, lambda _: None)
    [(_, run)] = task.run_folders(packed)
    return run.checkpoint


def show(name, packed, maps, seconds):
    """One line of scores, and the Dice by thirds of the infected share of the film."""
    marked, infected = maps >= THRESHOLD, packed.masks.any(axis=(1, 2))
    each = np.array([dice(a, b) for a, b in zip(packed.masks[infected], marked[infected], strict=True)])
    called = marked.any(axis=(1, 2))
    shares = packed.masks[infected].mean(axis=(1, 2))
    thirds = np.array_split(np.argsort(shares), N_SIZES)
    by_size = ", ".join(f"{each[rows].mean():.2f} (to {shares[rows].max():.1%} of the film)" for rows in thirds)
    print(
        f"{name}: mean Dice {each.mean():.3f}, pixel F1 {dice(packed.masks[infected], marked[infected]):.3f} on masked "
        f"films and {dice(packed.masks, marked):.3f} on all, sensitivity "
        f"{called[infected].mean():.3f}, specificity {1 - called[~infected].mean():.3f}; Dice by size {by_size}; "
        f"{seconds:.0f} s",
        flush=True,
    )


@click.command()
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Films, runs, maps.")
@click.option("--seed", default=1, show_default=True)
@click.option("--network", "names", multiple=True, help="Instead of those of the preset's first stage.")
def main(folder, seed, names):
    """Cross-validate the networks of the preset's first stage."""
    stage = laptop().stages[0]
    packed = real_films(stage.recipe.input_size)
    packed.save(folder / "films.npz")
    found = []
    for network in [NetworkSpec.parse(name) for name in names] or stage.networks:
        began = time.perf_counter()
        spec = TrainingSpec.of(network, stage.recipe, seed=seed)
        start = learn_pretext(spec, folder) if stage.recipe.pretext != "none" else None
        spec = replace(spec, start=file_digest(start) if start else None)
        found.append(cross_validate(spec, packed, folder, start))
        show(network.name, packed, found[-1], time.perf_counter() - began)
    show("mean of all", packed, np.mean(found, axis=0), 0)


if __name__ == "__main__":
    main()
