import pickle
from pathlib import Path

import numpy as np
import pytest

from db.domain.errors import InputError
from db.domain.network import Encoder, NetworkSpec
from ml_backend import weights
from ml_backend.networks import build, build_encoder

TINY = NetworkSpec.parse("unet-tiny")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "unet.safetensors"
    weights.save_model(build(TINY, input_size=32), path)
    return path


def test_a_network_predicts_alike_with_the_weights_of_another(stored: Path) -> None:
    film = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 1)).astype(np.float32)
    first, second = (np.asarray(build(TINY, input_size=32, weights=stored)(film)) for _ in range(2))
    fresh = np.asarray(build(TINY, input_size=32)(film))
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - fresh).max() > 1e-3


def test_statistics_and_kernels_are_stored_by_path(stored: Path) -> None:
    arrays, _ = weights.load_arrays(stored)
    assert arrays["encoder_1_conv/kernel"].shape == (3, 3, 1, 4)
    assert {"encoder_1_norm/moving_mean", "head_conv/bias"} <= arrays.keys()


@pytest.fixture
def of_encoder(tmp_path: Path) -> Path:
    path = tmp_path / "encoder.safetensors"
    arrays = weights.read(build_encoder(Encoder.TINY, input_size=32).weights)
    weights.save_arrays(arrays, path, text={weights.ENCODER: "tiny"})
    return path


def test_weights_of_an_encoder_leave_the_decoder_at_random(of_encoder: Path) -> None:
    arrays, _ = weights.load_arrays(of_encoder)
    first, second = (weights.read(build(TINY, input_size=32, weights=of_encoder).weights) for _ in range(2))
    for name, array in arrays.items():
        np.testing.assert_array_equal(first[name], array)
    assert not np.array_equal(first["unet_0_1_conv/kernel"], second["unet_0_1_conv/kernel"])


def test_weights_of_another_encoder_are_refused(of_encoder: Path) -> None:
    with pytest.raises(InputError, match="holds the weights of encoder tiny; unet-small has small"):
        build(NetworkSpec.parse("unet-small"), input_size=32, weights=of_encoder)


def test_weights_of_another_network_are_refused_by_name(stored: Path) -> None:
    with pytest.raises(InputError, match=r"weights of dla-tiny: grid_0_3_1_conv/kernel is missing"):
        build(NetworkSpec.parse("dla-tiny"), input_size=32, weights=stored)


def test_a_wrong_shape_is_named_and_nothing_is_set(stored: Path) -> None:
    arrays, _ = weights.load_arrays(stored)
    arrays["head_conv/bias"] = np.zeros(2, np.float32)
    weights.save_arrays(arrays, stored)
    model = build(TINY, input_size=32)
    before = model.get_weights()[0]
    with pytest.raises(InputError, match=r"head_conv/bias is \[2\] instead of \[1\]"):
        weights.load_model(model, stored)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_a_truncated_file_is_refused(stored: Path) -> None:
    stored.write_bytes(stored.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"unet\.safetensors"):
        build(TINY, input_size=32, weights=stored)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (tmp_path / "sprung",)  # type: ignore[return-value]  # what an attacker would send

    path = tmp_path / "weights.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="overread weights import"):
        build(TINY, input_size=32, weights=path)
    assert not (tmp_path / "sprung").exists()


def test_scalars_and_texts_come_back(tmp_path: Path) -> None:
    weights.save_arrays({"iteration": np.array(7)}, tmp_path / "state", text={"history": "[]"})
    arrays, text = weights.load_arrays(tmp_path / "state")
    assert arrays["iteration"].shape == ()
    assert arrays["iteration"] == 7
    assert text == {"history": "[]"}
