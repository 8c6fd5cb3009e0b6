import keras
import numpy as np
import pytest

from db.domain.errors import InputError
from db.domain.network import Decoder, Encoder, NetworkSpec
from ml_backend.networks import DECODERS, build
from ml_backend.networks.pyramid import DecoderWidths, Pyramid

SMALL_COUNTS = {
    "unet-medium": 496_025,
    "unet_plus_plus-medium": 720_793,
    "dla-medium": 658_585,
    "unet-small": 120_409,
    "unet_plus_plus-small": 145_065,
    "dla-small": 133_833,
}


def pyramid_of(channels: tuple[int, ...]) -> Pyramid:
    """Encoder features of a 64-pixel film as free inputs, finest first."""
    features = [keras.Input((64 // 2**row, 64 // 2**row, n)) for row, n in enumerate(channels, start=1)]
    return Pyramid(skips=features[:-1], deepest=features[-1])


def names_joined(model: keras.Model, node: str) -> list[str]:
    joined = model.get_layer(f"{node}_join").input
    return [tensor._keras_history.operation.name for tensor in joined]


@pytest.mark.parametrize(("network", "n_parameters"), SMALL_COUNTS.items())
def test_small_networks_keep_their_size(network: str, n_parameters: int) -> None:
    model = build(NetworkSpec.parse(network), input_size=96)
    assert model.count_params() == n_parameters
    assert model.input_shape == (None, 96, 96, 1)
    assert model.output_shape == (None, 96, 96, 1)


def test_unet_plus_plus_joins_all_earlier_nodes_and_dla_only_the_last() -> None:
    dense = build(NetworkSpec(Decoder.UNET_PLUS_PLUS, Encoder.SMALL), input_size=32)
    last = build(NetworkSpec(Decoder.DLA, Encoder.SMALL), input_size=32)
    earlier = ["encoder_1_relu", "grid_1_1_2_relu", "grid_1_2_2_relu"]
    assert names_joined(dense, "grid_1_3") == ["grid_1_3_up", *earlier]
    assert names_joined(last, "grid_1_3") == ["grid_1_3_up", earlier[-1]]


def test_the_first_column_of_a_grid_joins_the_encoders_taps() -> None:
    pyramid = pyramid_of((4, 4, 4))
    tap = keras.Input((16, 16, 7), name="tap")
    tapped = Pyramid(pyramid.skips, pyramid.deepest, taps=(tap,))
    features = DECODERS[Decoder.DLA](tapped, DecoderWidths(unet=(), grid=(2, 2, 2)))
    model = keras.Model([*pyramid.skips, pyramid.deepest, tap], features)
    assert model.get_layer("grid_1_1_up").output.shape[-1] == 7


def test_probabilities_do_not_depend_on_exposure_or_dtype() -> None:
    model = build(NetworkSpec(Decoder.UNET, Encoder.TINY), input_size=32)
    film = np.random.default_rng(0).integers(0, 100, (1, 32, 32, 1)).astype(np.uint8)
    probability = np.asarray(model(film))
    assert probability.dtype == np.float32
    assert 0.0 < probability.min() < probability.max() < 1.0
    np.testing.assert_allclose(np.asarray(model(film.astype(np.float32) * 2 + 20)), probability, atol=1e-4)


def test_a_frozen_encoder_learns_only_its_normalisation() -> None:
    model = build(NetworkSpec(Decoder.UNET, Encoder.TINY, frozen=True), input_size=32)
    trainable = {weight.path for weight in model.trainable_weights}
    assert "encoder_1_norm/gamma" in trainable
    assert "unet_0_1_conv/kernel" in trainable
    assert not any(path.startswith("encoder") and path.endswith("kernel") for path in trainable)


def test_an_input_size_that_is_not_divisible_by_32_is_refused_by_the_papers_encoders() -> None:
    with pytest.raises(InputError, match=r"200.*multiple of 32"):
        build(NetworkSpec(Decoder.UNET, Encoder.CHEXNET), input_size=200)


def test_an_input_size_that_cannot_be_halved_often_enough_is_refused() -> None:
    with pytest.raises(InputError, match=r"100.*multiple of 16"):
        build(NetworkSpec(Decoder.UNET, Encoder.SMALL), input_size=100)
