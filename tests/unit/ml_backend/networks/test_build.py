import math

import keras
import numpy as np
import pytest

from db.domain.errors import InputError
from db.domain.network import Decoder, Encoder, NetworkSpec
from ml_backend.networks import DECODERS, build
from ml_backend.networks.blocks import head
from ml_backend.networks.pyramid import PAPER_WIDTHS, DecoderWidths, Pyramid

# Table V (P43) less DenseNet-121 without its top (6,953,856 trainable and 83,648 other parameters).
PAPER_DECODERS_ON_DENSENET = {
    Decoder.UNET: (12_059_345 - 6_953_856, 85_632 - 83_648),
    Decoder.UNET_PLUS_PLUS: (14_398_561 - 6_953_856, 88_448 - 83_648),
    Decoder.DLA: (13_145_185 - 6_953_856, 88_448 - 83_648),
}
SMALL_COUNTS = {Decoder.UNET: 120_409, Decoder.UNET_PLUS_PLUS: 145_065, Decoder.DLA: 133_833}


def pyramid_of(channels: tuple[int, ...]) -> Pyramid:
    """Encoder features of a 64-pixel film as free inputs, finest first."""
    features = [keras.Input((64 // 2**row, 64 // 2**row, n)) for row, n in enumerate(channels, start=1)]
    return Pyramid(skips=features[:-1], deepest=features[-1])


def names_joined(model: keras.Model, node: str) -> list[str]:
    joined = model.get_layer(f"{node}_join").input
    return [tensor._keras_history.operation.name for tensor in joined]


@pytest.mark.parametrize("decoder", Decoder)
def test_decoders_have_the_papers_parameters_on_the_features_of_densenet(decoder: Decoder) -> None:
    pyramid = pyramid_of((64, 128, 256, 512, 1024))
    probability = head(DECODERS[decoder](pyramid, PAPER_WIDTHS))
    model = keras.Model([*pyramid.skips, pyramid.deepest], probability)
    trainable, others = (
        sum(math.prod(weight.shape) for weight in weights)
        for weights in (model.trainable_weights, model.non_trainable_weights)
    )
    assert (trainable, others) == PAPER_DECODERS_ON_DENSENET[decoder]
    assert probability.shape == (None, 64, 64, 1)


@pytest.mark.parametrize("decoder", Decoder)
def test_small_networks_keep_their_size(decoder: Decoder) -> None:
    model = build(NetworkSpec(decoder, Encoder.SMALL), input_size=96)
    assert model.count_params() == SMALL_COUNTS[decoder]
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


def test_an_encoder_that_is_not_available_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"'chexnet'.*small, tiny"):
        build(NetworkSpec(Decoder.UNET, Encoder.CHEXNET))


def test_an_input_size_that_cannot_be_halved_often_enough_is_refused() -> None:
    with pytest.raises(InputError, match=r"100.*multiple of 16"):
        build(NetworkSpec(Decoder.UNET, Encoder.SMALL), input_size=100)
