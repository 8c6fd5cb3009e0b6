from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from db.domain.errors import InputError, StateError
from db.domain.network import NetworkSpec
from ml_backend import inference, recipes, weights
from ml_backend.data import PackedSet
from ml_backend.fitting import Progress, Trainer
from ml_backend.task import TrainingSpec

SPEC = TrainingSpec.of(NetworkSpec.parse("unet-tiny"), recipes.smoke())


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(SPEC)


def fit(trainer: Trainer, packed: PackedSet, state: Path) -> weights.Arrays:
    trainer.fit(packed.films, packed.masks, state=state, report=lambda _: None)
    return weights.read(trainer.model.weights)


def assert_equal(first: weights.Arrays, second: weights.Arrays) -> None:
    assert first.keys() == second.keys()
    for path, array in first.items():
        np.testing.assert_array_equal(array, second[path], err_msg=path)


def test_a_second_fold_starts_from_the_first_weights_again(trainer: Trainer, packed: PackedSet, tmp_path: Path) -> None:
    first = fit(trainer, packed, tmp_path / "a")
    fit(trainer, PackedSet(packed.keys, 255 - packed.films, packed.masks), tmp_path / "b")
    assert_equal(fit(trainer, packed, tmp_path / "c"), first)


def test_an_interrupted_training_ends_like_an_undisturbed_one(
    trainer: Trainer, packed: PackedSet, tmp_path: Path
) -> None:
    whole = fit(trainer, packed, tmp_path / "whole")

    def stop(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer.fit(packed.films, packed.masks, state=tmp_path / "state", report=stop)
    epochs: list[int] = []
    history = trainer.fit(
        packed.films, packed.masks, state=tmp_path / "state", report=lambda progress: epochs.append(progress.epoch)
    )
    assert set(epochs) == {2}
    assert len(history.losses) == 2
    assert_equal(weights.read(trainer.model.weights), whole)


def test_progress_counts_down_to_nothing_left(trainer: Trainer, packed: PackedSet, tmp_path: Path) -> None:
    lines: list[Progress] = []
    trainer.fit(packed.films, packed.masks, state=tmp_path / "state", report=lines.append)
    ends = [(line.epoch, line.step, line.n_steps_left) for line in lines if line.step == line.n_steps]
    assert ends == [(1, 3, 3), (2, 3, 0)]
    assert all(line.films_per_s > 0 for line in lines)


def test_an_epoch_without_a_number_of_steps_takes_every_film(packed: PackedSet) -> None:
    trainer = Trainer(replace(SPEC, steps_per_epoch=None, balance=False, batch_size=5))
    batches = trainer._batches(np.any(packed.masks, axis=(1, 2)), 1)
    assert batches.shape == (3, 5)
    assert set(batches.ravel()) == set(range(12))


def test_the_cosine_schedule_falls_from_the_rate_to_zero(trainer: Trainer) -> None:
    rates = [trainer._learning_rate(share) for share in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(rates, [3e-3, 1.5e-3, 0.0], atol=1e-12)


def test_films_without_any_infection_cannot_train(trainer: Trainer, packed: PackedSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="None of the 12"):
        trainer.fit(packed.films, np.zeros_like(packed.masks), state=tmp_path / "state", report=lambda _: None)


def test_films_of_another_size_are_refused(trainer: Trainer, packed: PackedSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"32x32.*16x16"):
        trainer.fit(packed.films[:, :16, :16], packed.masks, state=tmp_path / "state", report=lambda _: None)


def test_a_diverging_training_stops_and_says_where(packed: PackedSet, tmp_path: Path) -> None:
    trainer = Trainer(replace(SPEC, steps_per_epoch=40, learning_rate=1e30))
    with pytest.raises(StateError, match=r"unet-tiny diverged in epoch 1, step \d+"):
        trainer.fit(packed.films, packed.masks, state=tmp_path / "state", report=lambda _: None)
    assert not (tmp_path / "state").exists()


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["unet", "unet_plus_plus", "dla"])
def test_a_network_learns_what_brightness_alone_does_not_tell(decoder: str, tmp_path: Path) -> None:
    """Infection is a coarser texture of the same mean grey level, half of the films have none."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(2)
    masks = np.zeros((96, 32, 32), np.bool_)
    for mask in masks[::2]:
        top, left = rng.integers(2, 14, 2)
        mask[top : top + 14, left : left + 14] = True
    fine, coarse = (gaussian_filter(rng.normal(size=masks.shape), (0, s, s)) for s in (0.4, 1.8))
    shade = gaussian_filter(rng.normal(size=masks.shape), (0, 8, 8))
    texture = np.where(masks, coarse / coarse.std(), fine / fine.std())
    films = np.clip(128 + 12 * texture + 20 * shade / shade.std(), 0, 255).astype(np.uint8)
    spec = TrainingSpec.of(NetworkSpec.parse(f"{decoder}-small"), recipes.laptop())
    trainer = Trainer(replace(spec, input_size=32, epochs=5, steps_per_epoch=30))
    trainer.fit(films[:64], masks[:64], state=tmp_path / "state", report=lambda _: None)
    predicted = inference.predict(trainer.model, films[64:]) >= 0.5
    overlap = 2 * (predicted & masks[64:]).sum() / (predicted.sum() + masks[64:].sum())
    assert overlap > 0.75
