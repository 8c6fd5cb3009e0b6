"""A small data set whose infected regions are brighter, so that a network of a few thousand weights can learn it."""

import sys

import numpy as np
import pytest

from ml_backend import children
from ml_backend.data import PackedSet

SIDE_PX = 32
N_CASES = 12


@pytest.fixture
def packed() -> PackedSet:
    """Twelve films of 32x32 pixels; every third has no infection."""
    rng = np.random.default_rng(5)
    films = rng.integers(60, 120, (N_CASES, SIDE_PX, SIDE_PX)).astype(np.uint8)
    masks = np.zeros(films.shape, np.bool_)
    for i in range(N_CASES):
        if i % 3:
            top, left = rng.integers(2, 16, 2)
            masks[i, top : top + 12, left : left + 12] = True
    films[masks] += 80
    return PackedSet(tuple(f"c{i:02}" for i in range(N_CASES)), films, masks)


FAKE_CHILD = """
import json, sys
from pathlib import Path
import numpy as np
from ml_backend.data import PackedSet, save_maps
from ml_backend.task import TrainingTask

mode, path = sys.argv[1:]
task = TrainingTask.load(Path(path))
packed = PackedSet.load(task.data)
say = lambda **values: print(json.dumps(values), flush=True)
print("chatter of a library")
if mode == "diverges":
    say(event="error", code="state", message="It diverged.", hint="Lower the rate.")
    sys.exit(5)
for fold, folder in task.run_folders(packed):
    if mode == "always dies":
        sys.exit("out of memory")
    was_done = folder.is_done
    if not was_done:
        folder.path.mkdir(parents=True)
        say(event="progress", fold=fold.name, key=folder.key, epoch=1, n_epochs=task.spec.epochs, step=2, n_steps=2,
            loss=0.5, learning_rate=0.1, validation_loss=None, films_per_s=10.0, eta_s=1.0)
        folder.checkpoint.write_bytes(f"weights of {task.spec.network.name} {fold.name}".encode())
        folder.card.write_text(json.dumps({"train": fold.train, "n_infected": int(packed.masks.any((1, 2)).sum())}))
        folder.marker.touch()
    predictions = folder.predictions(packed, fold)
    shape = (len(fold.targets), task.spec.input_size, task.spec.input_size)
    save_maps(predictions, fold.targets, np.full(shape, 0.75, np.float32))
    if mode == "dies once a fold" and not was_done:
        sys.exit("killed")
    say(event="fold", fold=fold.name, key=folder.key, was_done=was_done, predictions=str(predictions), wall_s=0.1)
say(event="done")
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    """A training child that speaks the lines of the real one; `child("dies once a fold")` makes it do so."""
    script = tmp_path / "child.py"
    script.write_text(FAKE_CHILD)

    def behave(mode: str) -> None:
        monkeypatch.setattr(children, "CHILD", (sys.executable, str(script), mode))

    behave("well")
    return behave
