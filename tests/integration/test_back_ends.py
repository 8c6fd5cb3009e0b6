"""One code, two back ends: equal weights and films give equal figures on TensorFlow and on JAX, each in its process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

COMPUTE = """
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from db.domain import recipes
from db.domain.network import NetworkSpec
from ml_backend import inference, losses, weights
from ml_backend.fitting import Trainer
from ml_backend.networks import build
from ml_backend.task import TrainingSpec

folder = Path(sys.argv[1])
keras.utils.set_random_seed(1)
rng = np.random.default_rng(7)
films = rng.integers(0, 255, (8, 32, 32)).astype(np.uint8)
masks = films > 180
masks[::2] = False
found = {}
for network in ("unet-tiny", "unet-densenet121", "unet_plus_plus-inception_v3", "dla-resnet50"):
    start = folder / f"{network}.safetensors"
    model = build(NetworkSpec.parse(network), input_size=32, weights=start if start.exists() else None)
    if not start.exists():
        weights.save_model(model, start)
    found[f"map of {network}"] = inference.predict(model, films)
probability = found["map of unet-tiny"]
for loss in (losses.focal_loss, losses.dice_loss, losses.hybrid_loss):
    found[loss.__name__] = np.asarray(loss(masks, probability))
recipe = replace(recipes.smoke(), epochs=1, steps_per_epoch=1)
spec = TrainingSpec.of(NetworkSpec.parse("unet-tiny"), recipe)
trainer = Trainer(spec, start=folder / "unet-tiny.safetensors")
back_end = keras.config.backend()
history = trainer.fit(films, masks, state=folder / f"{back_end}.state", report=lambda _: None)
found["loss of the step"] = np.array(history.losses)
found |= {f"weight {path}": array for path, array in weights.read(trainer.model.weights).items()}
np.savez(folder / f"{back_end}.npz", **found)
"""

TRAIN_ON_TWO_DEVICES = """
import sys
from dataclasses import replace
from pathlib import Path

import jax
import keras
import numpy as np

from db.domain import recipes
from db.domain.network import NetworkSpec
from ml_backend.fitting import Trainer
from ml_backend.task import TrainingSpec

folder = Path(sys.argv[1])
films = np.random.default_rng(3).integers(0, 255, (8, 32, 32)).astype(np.uint8)
recipe = replace(recipes.smoke(), epochs=1, steps_per_epoch=2, validation_share=0.1)
trainer = Trainer(TrainingSpec.of(NetworkSpec.parse("unet-tiny"), recipe))
history = trainer.fit(
    films, films > 180, state=folder / "state", report=lambda _: None, validation=(films[:5], films[:5] > 180)
)
used = {device for weight in trainer.model.weights for device in weight.value.devices()}
print(len(jax.devices()), len(used), history.losses[0], history.validation_losses[0])
"""


def run(program: str, folder: Path, back_end: str, **variables: str) -> str:
    environment = os.environ | {"KERAS_BACKEND": back_end, "TF_CPP_MIN_LOG_LEVEL": "3"} | variables
    command = [sys.executable, "-c", program, str(folder)]
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


@pytest.mark.slow
def test_tensorflow_and_jax_compute_the_same_and_take_the_same_step(tmp_path: Path) -> None:
    run(COMPUTE, tmp_path, "tensorflow")
    run(COMPUTE, tmp_path, "jax", XLA_FLAGS="--xla_backend_optimization_level=0")  # compiles three times as fast
    with np.load(tmp_path / "tensorflow.npz") as first, np.load(tmp_path / "jax.npz") as second:
        assert first.files == second.files
        weights = [name for name in first.files if name.startswith("weight")]
        assert len(weights) > 20
        for name in set(first.files) - set(weights):
            # With random weights ResNet-50's output is near 0 or 1, and float32 rounds it differently by up to 1e-3.
            np.testing.assert_allclose(first[name], second[name], atol=2e-3, err_msg=name)
        # Adam's first step is the rate times the gradient's sign: where that is nearly 0 it may fall either way.
        apart = np.concatenate([np.abs(first[name] - second[name]).ravel() for name in weights])
        assert apart.max() <= 2 * 3e-3 + 1e-5
        assert np.quantile(apart, 0.98) < 1e-4


@pytest.mark.slow
def test_every_device_takes_its_part_of_a_batch(tmp_path: Path) -> None:
    """Two CPU devices stand in for two GPUs: JAX shards over either alike."""
    figures = []
    for n_devices in (1, 2):
        folder = tmp_path / str(n_devices)
        folder.mkdir()
        flags = f"--xla_force_host_platform_device_count={n_devices} --xla_backend_optimization_level=0"
        found, used, *losses = run(TRAIN_ON_TWO_DEVICES, folder, "jax", XLA_FLAGS=flags).split()
        assert (found, used) == (str(n_devices), str(n_devices))
        figures.append([float(loss) for loss in losses])
    (alone, held_out), (shared, _) = figures  # with two devices one of the five films held out counts twice
    assert alone == pytest.approx(shared, rel=1e-3)
    assert held_out > 0
