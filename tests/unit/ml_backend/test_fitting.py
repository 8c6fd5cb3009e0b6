import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from db.domain import recipes
from db.domain.errors import InputError, StateError
from db.domain.network import NetworkSpec
from ml_backend import inference, weights
from ml_backend.data import PackedSet
from ml_backend.fitting import Progress, Trainer
from ml_backend.networks import build
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
        if progress.step == progress.n_steps:
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


def test_the_cosine_schedule_falls_over_the_epochs_after_the_warm_up() -> None:
    spec = replace(SPEC, epochs=5, warmup_epochs=1)
    rates = [Trainer.learning_rate(SimpleNamespace(spec=spec), epoch) / spec.learning_rate for epoch in range(1, 6)]  # type: ignore[arg-type]  # only its spec counts
    falling = [0.5 * (1 + math.cos(math.pi * share)) for share in (0.125, 0.375, 0.625, 0.875)]
    np.testing.assert_allclose(rates, [0.5, *falling])


def test_films_without_any_infection_cannot_train(trainer: Trainer, packed: PackedSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="None of the 12"):
        trainer.fit(packed.films, np.zeros_like(packed.masks), state=tmp_path / "state", report=lambda _: None)


def test_films_of_another_size_are_refused(trainer: Trainer, packed: PackedSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"32x32.*16x16"):
        trainer.fit(packed.films[:, :16, :16], packed.masks, state=tmp_path / "state", report=lambda _: None)


def test_a_diverging_training_stops_and_says_where(packed: PackedSet, tmp_path: Path) -> None:
    trainer = Trainer(replace(SPEC, steps_per_epoch=40, learning_rate=1e30))
    with pytest.raises(StateError, match=r"unet-tiny diverged in epoch 1, by step \d+"):
        trainer.fit(packed.films, packed.masks, state=tmp_path / "state", report=lambda _: None)
    assert not (tmp_path / "state").exists()


def test_a_diverging_training_is_left_as_after_its_last_whole_epoch(
    packed: PackedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(SPEC)
    good: weights.Arrays = {}

    def spoil_what_follows(progress: Progress) -> None:
        if progress.step == progress.n_steps:
            good.update(weights.load_arrays(tmp_path / "state")[0])
            monkeypatch.setattr(trainer, "learning_rate", lambda _: 1e38)

    with pytest.raises(StateError, match="diverged in epoch 2"):
        trainer.fit(packed.films, packed.masks, state=tmp_path / "state", report=spoil_what_follows)
    for path, array in weights.read(trainer.variables).items():
        np.testing.assert_array_equal(array, good[path], err_msg=path)


def test_a_network_broken_by_the_last_update_of_all_is_noticed(packed: PackedSet, tmp_path: Path) -> None:
    trainer = Trainer(replace(SPEC, epochs=1, steps_per_epoch=1, learning_rate=1e38))
    with pytest.raises(StateError, match="diverged in epoch 1, by step 1"):
        trainer.fit(packed.films, packed.masks, state=tmp_path / "state", report=lambda _: None)


def test_the_best_epoch_is_that_of_the_films_held_out_and_patience_ends_the_training(
    packed: PackedSet, tmp_path: Path
) -> None:
    """The films held out are infected where the others are not, so that every epoch of learning makes them worse."""
    trainer = Trainer(replace(SPEC, epochs=30, steps_per_epoch=10, validation_share=0.5, patience=2))
    bests: list[weights.Arrays] = []
    history = trainer.fit(
        packed.films,
        packed.masks,
        state=tmp_path / "state",
        report=lambda _: None,
        on_best=lambda: bests.append(weights.read(trainer.model.weights)),
        validation=(packed.films, ~packed.masks),
    )
    assert len(history.losses) == len(history.validation_losses) == history.best_epoch + 2 < 30
    assert history.validation_losses[history.best_epoch - 1] == min(history.validation_losses)
    last = weights.read(trainer.model.weights)
    assert not np.array_equal(bests[-1]["head_conv/kernel"], last["head_conv/kernel"])


def test_half_precision_computes_in_16_bits_and_keeps_the_weights_in_32(packed: PackedSet, tmp_path: Path) -> None:
    trainer = Trainer(replace(SPEC, precision="mixed_bfloat16"))
    history = trainer.fit(packed.films, packed.masks, state=tmp_path / "state", report=lambda _: None)
    assert trainer.model.get_layer("encoder_2_1_conv").compute_dtype == "bfloat16"
    assert {str(weight.dtype) for weight in trainer.model.weights} == {"float32"}
    assert trainer.model.output.dtype == "float32"
    assert len(history.losses) == 2
    assert build(SPEC.network, input_size=32).get_layer("encoder_2_1_conv").compute_dtype == "float32"


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
    spec = TrainingSpec.of(NetworkSpec.parse(f"{decoder}-small"), recipes.demo())
    trainer = Trainer(replace(spec, input_size=32, epochs=5, steps_per_epoch=30))
    trainer.fit(films[:64], masks[:64], state=tmp_path / "state", report=lambda _: None)
    predicted = inference.predict(trainer.model, films[64:]) >= 0.5
    overlap = 2 * (predicted & masks[64:]).sum() / (predicted.sum() + masks[64:].sum())
    assert overlap > 0.75
