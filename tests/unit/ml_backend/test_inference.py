from pathlib import Path

import numpy as np
import pytest

from db.domain.errors import InputError
from db.domain.network import NetworkSpec
from ml_backend import inference, weights
from ml_backend.data import PackedSet
from ml_backend.engine import Member
from ml_backend.networks import build


def test_every_film_gets_its_own_map_whatever_the_batch(packed: PackedSet) -> None:
    model = build(NetworkSpec.parse("unet-tiny"), input_size=32)
    maps = inference.predict(model, packed.films, batch_size=5)
    alone = np.stack([np.asarray(model(film[None, ..., None]))[0, ..., 0] for film in packed.films])
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, alone, atol=1e-5)


def test_a_network_takes_the_weights_of_each_fold_in_turn(packed: PackedSet, tmp_path: Path) -> None:
    spec = NetworkSpec.parse("unet-tiny")
    models = [build(spec, input_size=32) for _ in range(2)]
    members = [Member(spec.name, 32, tmp_path / f"{fold}.safetensors") for fold in range(2)]
    for model, member in zip(models, members, strict=True):
        weights.save_model(model, member.weights)
    networks = inference.KerasNetworks()
    forwards = [networks.load(member) for member in members]
    expected = [inference.predict(model, packed.films) for model in models]
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    for fold in (0, 1, 0):
        np.testing.assert_allclose(forwards[fold](packed.films), expected[fold], atol=1e-6)


def test_films_of_another_size_are_refused(packed: PackedSet) -> None:
    model = build(NetworkSpec.parse("unet-tiny"), input_size=64)
    with pytest.raises(InputError, match=r"\[n, 64, 64\].*\[12, 32, 32\]"):
        inference.predict(model, packed.films)
