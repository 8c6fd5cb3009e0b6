"""Training and augmentation, each against its rival in the same run. Run it alone on the machine: `make benchmark`.

- A training of ours, which augments, balances, reports and keeps every epoch, against the bare Keras `fit` of the same
  network on batches that lie ready in memory.
- Augmentation in pairs of film and mask a second, on one core, against SciPy's affine transform in the manner of Keras'
  ImageDataGenerator: three colour channels and the mask.
"""

import sys
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from db.domain import recipes
from db.domain.network import NetworkSpec
from ml_backend.augmentation import MAX_ROTATION_DEG, MAX_SHIFT, Motion, Sampler, augment
from ml_backend.data import fit_film
from ml_backend.fitting import Progress, Trainer
from ml_backend.losses import hybrid_loss
from ml_backend.networks import build
from ml_backend.task import TrainingSpec
from ml_backend.training import SWITCH_S

REAL = Path(__file__).parents[3] / "shared" / "data"
SIDE_PX = 224
N_FILMS = 128
N_ROUNDS = 3
BATCH = 32
MIN_TRAINING, MIN_AUGMENTATION = 0.95, 10.0
MAX_DIFFERENCE = 0.2
NETWORKS = {
    "unet-medium": replace(recipes.laptop(), steps_per_epoch=100),
    "unet-densenet121": replace(recipes.paper(), batch_size=8, steps_per_epoch=10),
}


@pytest.fixture(scope="module")
def films():
    """uint8 [n, side, side]: real films where they lie beside the checkout, else generated ones."""
    paths = sorted(REAL.glob("cxr-*/**/images/*.png"))[:N_FILMS]
    if paths:
        return np.stack([fit_film(np.asarray(Image.open(path).convert("L")), SIDE_PX) for path in paths])
    noise = np.random.default_rng(0).normal(128, 400, (N_FILMS, SIDE_PX, SIDE_PX))
    return np.clip(ndimage.gaussian_filter(noise, (0, 3, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def masks(films):
    """bool [n, side, side]: a blob on every second film."""
    noise = np.random.default_rng(1).normal(size=films.shape)
    made = ndimage.gaussian_filter(noise, (0, 14, 14)) > 0.02
    made[::2] = False
    return made


@pytest.mark.parametrize("network", NETWORKS)
def test_training_costs_little_more_than_the_bare_fit(network, films, masks, tmp_path):
    sys.setswitchinterval(SWITCH_S)  # as the process that trains does
    recipe = NETWORKS[network]
    spec = TrainingSpec.of(NetworkSpec.parse(network), replace(recipe, epochs=1))
    side = spec.input_size
    small = films if side == SIDE_PX else np.stack([fit_film(film, side) for film in films])
    marks = masks if side == SIDE_PX else masks[:, :side, :side]
    bare = build(spec.network, input_size=side)
    loss = partial(hybrid_loss, **asdict(spec.loss))
    bare.compile(keras.optimizers.Adam(spec.learning_rate), loss=loss, jit_compile=False)
    n_films = spec.batch_size * (spec.steps_per_epoch or 1)
    rows = np.arange(n_films) % len(small)
    ready = small[rows][..., None].astype(np.float32), marks[rows][..., None].astype(np.float32)
    trainer = Trainer(spec)

    def ours():
        """Films/s of the steps, and what the fit took besides: the epoch is kept, the first weights are set."""
        reports: list[Progress] = []
        began = time.perf_counter()
        trainer.fit(small, marks, state=tmp_path / f"{network}{began}", report=reports.append)
        took = time.perf_counter() - began
        return reports[-1].films_per_s, took - n_films / reports[-1].films_per_s

    def theirs():
        clock = StepClock()
        bare.fit(*ready, batch_size=spec.batch_size, epochs=1, verbose=0, callbacks=[clock])
        return clock.films_per_s(spec.batch_size)

    ours(), theirs()  # traces both
    rounds = [(*ours(), theirs()) for _ in range(N_ROUNDS)]
    rate, beside_s, bare_rate = np.median(rounds, axis=0)
    ratio = np.median([rate / bare_rate for rate, _, bare_rate in rounds])
    print(f"\n{network} at {side} px, batch {spec.batch_size}: {rate:.2f} films/s, bare fit {bare_rate:.2f}", end=" ")
    print(f"films/s, ratio {ratio:.2f} (at least {MIN_TRAINING}); besides its steps a fit of one epoch took", end=" ")
    print(f"{beside_s:.1f} s")
    assert ratio >= MIN_TRAINING


class StepClock(keras.callbacks.Callback):
    """Films/s from the end of the first step on, as the trainer counts them."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):  # noqa: ARG002 - the signature is Keras'
        self.ends.append(time.perf_counter())

    def films_per_s(self, batch_size):
        return (len(self.ends) - 1) * batch_size / (self.ends[-1] - self.ends[0])


def in_the_manner_of_image_data_generator(film, mask, rng):
    """What `keras_preprocessing` did: each channel by SciPy, linear, the nearest edge beyond the film."""
    angle = np.deg2rad(rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = (SIDE_PX - 1) / 2
    offset = centre - turn @ (centre + rng.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * SIDE_PX)
    move = partial(ndimage.affine_transform, matrix=turn, offset=offset, order=1, mode="nearest")
    channels = [*np.repeat(film[None].astype(np.float32), 3, axis=0), mask.astype(np.float32)]
    return [move(channel) for channel in channels]


def test_augmentation_is_ten_times_as_fast_as_scipy(films, masks):
    rng = np.random.default_rng(2)

    def theirs():
        for film, mask in zip(films, masks, strict=True):
            in_the_manner_of_image_data_generator(film, mask, rng)

    def ours():
        for first in range(0, len(films), BATCH):
            augment(films[first : first + BATCH], masks[first : first + BATCH], rng)

    ours(), theirs()
    rounds = [(cpu(ours), cpu(theirs)) for _ in range(N_ROUNDS)]
    ours_s, theirs_s = np.median(rounds, axis=0)
    ratio = np.median([theirs / ours for ours, theirs in rounds])
    print(f"\naugmentation {len(films) / ours_s:.0f} pairs/s, SciPy {len(films) / theirs_s:.0f} pairs/s", end=", ")
    print(f"ratio {ratio:.1f} (at least {MIN_AUGMENTATION})")
    assert ratio >= MIN_AUGMENTATION


def test_augmented_films_are_those_of_scipy(films):
    rng = np.random.default_rng(3)
    sampler, moved = Sampler(SIDE_PX), np.empty((SIDE_PX, SIDE_PX), np.float32)
    differences = []
    for film in films:
        motion = Motion.random(SIDE_PX, rng)
        centre = (SIDE_PX - 1) / 2
        offset = centre - motion.turn @ (centre + motion.shift_px)
        sampler.aim(motion)
        sampler.linear(film, out=moved)
        expected = ndimage.affine_transform(film.astype(np.float32), motion.turn, offset, order=1, mode="nearest")
        differences.append(np.abs(moved - expected).mean())
    print(f"\nmean difference to SciPy {np.mean(differences):.5f} grey levels (below {MAX_DIFFERENCE})")
    assert np.mean(differences) < MAX_DIFFERENCE


def cpu(call):
    """Seconds of one core: both run on one."""
    start = time.process_time()
    call()
    return time.process_time() - start
