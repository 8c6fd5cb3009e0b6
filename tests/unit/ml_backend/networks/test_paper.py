"""The paper's 24 networks have the paper's parameters, all 48 counts of Table V (P43)."""

import keras
import numpy as np
import pytest

from db.domain.network import Decoder, Encoder, NetworkSpec
from ml_backend.networks import build, build_encoder
from ml_backend.networks.costs import measure_costs

DENSENET = {
    (Decoder.UNET, False): (12_059_345, 85_632),
    (Decoder.UNET, True): (5_189_137, 6_955_840),
    (Decoder.UNET_PLUS_PLUS, False): (14_398_561, 88_448),
    (Decoder.UNET_PLUS_PLUS, True): (7_528_353, 6_958_656),
    (Decoder.DLA, False): (13_145_185, 88_448),
    (Decoder.DLA, True): (6_274_977, 6_958_656),
}
TABLE_V = {
    Encoder.CHEXNET: DENSENET,
    Encoder.DENSENET121: DENSENET,
    Encoder.INCEPTION_V3: {
        (Decoder.UNET, False): (29_896_689, 36_416),
        (Decoder.UNET, True): (8_145_553, 21_787_552),
        (Decoder.UNET_PLUS_PLUS, False): (30_429_569, 39_232),
        (Decoder.UNET_PLUS_PLUS, True): (8_678_433, 21_790_368),
        (Decoder.DLA, False): (28_955_009, 39_232),
        (Decoder.DLA, True): (7_203_873, 21_790_368),
    },
    Encoder.RESNET50: {
        (Decoder.UNET, False): (32_513_556, 47_558),
        (Decoder.UNET, True): (9_058_644, 23_502_470),
        (Decoder.UNET_PLUS_PLUS, False): (34_336_676, 50_374),
        (Decoder.UNET_PLUS_PLUS, True): (10_881_764, 23_505_286),
        (Decoder.DLA, False): (32_198_564, 50_374),
        (Decoder.DLA, True): (8_743_652, 23_505_286),
    },
}
NETWORKS = [
    pytest.param(NetworkSpec(decoder, encoder, frozen), counts, id=NetworkSpec(decoder, encoder, frozen).name)
    for encoder, rows in TABLE_V.items()
    for (decoder, frozen), counts in rows.items()
]
CHANNELS = {
    Encoder.DENSENET121: (64, 128, 256, 512, 1024),
    Encoder.INCEPTION_V3: (64, 192, 288, 768, 2048),
    Encoder.RESNET50: (64, 256, 512, 1024, 2048),
}


@pytest.mark.slow
@pytest.mark.parametrize(("spec", "counts"), NETWORKS)
def test_a_network_has_the_papers_parameters(spec: NetworkSpec, counts: tuple[int, int]) -> None:
    model = build(spec)
    costs = measure_costs(model)
    assert (costs.n_trainable, costs.n_non_trainable) == counts
    assert model.input_shape == model.output_shape == (None, 224, 224, 1)


def test_there_are_24_networks_and_48_counts() -> None:
    assert len({param.values[0] for param in NETWORKS}) == 24


@pytest.mark.parametrize(
    ("encoder", "scaled"),
    [
        # The film's grey level as each encoder's weights expect it: ImageNet's mean and deviation, -1..1, as it is.
        (Encoder.DENSENET121, [(100 / 255 - 0.485) / 0.229, (100 / 255 - 0.456) / 0.224, (100 / 255 - 0.406) / 0.225]),
        (Encoder.INCEPTION_V3, [100 / 127.5 - 1] * 3),
        (Encoder.RESNET50, [100.0] * 3),
    ],
)
def test_a_grey_film_is_given_three_times_as_the_weights_expect_it(encoder: Encoder, scaled: list[float]) -> None:
    model = build_encoder(encoder, input_size=32)
    first = next(layer for layer in model.layers if layer.weights)
    seen = keras.Model(model.input, first.input)(np.full((1, 32, 32, 1), 100, np.uint8))
    np.testing.assert_allclose(np.asarray(seen)[0, 16, 16], scaled, rtol=1e-5)


@pytest.mark.parametrize(("encoder", "channels"), CHANNELS.items())
def test_an_encoder_halves_the_film_five_times(encoder: Encoder, channels: tuple[int, ...]) -> None:
    unet = build(NetworkSpec(Decoder.UNET, encoder), input_size=64)
    skips = [unet.get_layer(f"unet_{row}_join").input[1].shape[1:] for row in (1, 2, 3, 4)]
    assert [*skips, build_encoder(encoder, input_size=64).output_shape[1:]] == [
        (64 // 2**row, 64 // 2**row, n) for row, n in enumerate(channels, start=1)
    ]


def test_the_grids_of_resnet_join_the_second_units_from_below() -> None:
    model = build(NetworkSpec(Decoder.DLA, Encoder.RESNET50), input_size=32)
    below = [model.get_layer(f"grid_{row}_1_up").input._keras_history.operation.name for row in (1, 2, 3, 4)]
    assert below == ["stage1_unit2_relu1", "stage2_unit2_relu1", "stage3_unit2_relu1", "relu1"]
