import numpy as np
import pytest

from db.domain.errors import InputError
from db.domain.network import NetworkSpec
from ml_backend import inference
from ml_backend.data import PackedSet
from ml_backend.networks import build


def test_every_film_gets_its_own_map_whatever_the_batch(packed: PackedSet) -> None:
    model = build(NetworkSpec.parse("unet-tiny"), input_size=32)
    maps = inference.predict(model, packed.films, batch_size=5)
    alone = np.stack([np.asarray(model(film[None, ..., None]))[0, ..., 0] for film in packed.films])
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, alone, atol=1e-5)


def test_an_ensemble_is_the_mean_of_its_members(packed: PackedSet) -> None:
    models = [build(NetworkSpec.parse("unet-tiny"), input_size=32) for _ in range(2)]
    first, second = (inference.predict(model, packed.films) for model in models)
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(inference.predict_mean(models, packed.films), (first + second) / 2, atol=1e-6)


def test_an_ensemble_without_members_is_refused(packed: PackedSet) -> None:
    with pytest.raises(InputError, match="none was given"):
        inference.predict_mean([], packed.films)


def test_films_of_another_size_are_refused(packed: PackedSet) -> None:
    model = build(NetworkSpec.parse("unet-tiny"), input_size=64)
    with pytest.raises(InputError, match=r"\[n, 64, 64\].*\[12, 32, 32\]"):
        inference.predict(model, packed.films)
