"""The file's names to the encoder's."""

import pytest

from db.domain.network import Encoder
from ml_backend.importing.layouts import recognise


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("conv1/conv/conv1/conv/kernel:0", "conv1_conv/kernel"),
        ("conv1/bn/conv1/bn_1/moving_mean:0", "conv1_bn/moving_mean"),
        ("conv1_bn/conv1_bn/gamma", "conv1_bn/gamma"),
        ("densenet121/conv1/bn/beta:0", "conv1_bn/beta"),
        ("densenet121/bn/beta", "bn/beta"),
        ("bn/bn/beta:0", "bn/beta"),
        ("conv5_block16_2_conv/conv5_block16_2_conv/kernel:0", "conv5_block16_2_conv/kernel"),
        ("pool3_bn/pool3_bn/moving_variance:0", "pool3_bn/moving_variance"),
        ("features.conv0.weight", "conv1_conv/kernel"),
        ("module.densenet121.features.norm0.bias", "conv1_bn/beta"),
        ("module.densenet121.features.denseblock1.denselayer6.norm.1.weight", "conv2_block6_0_bn/gamma"),
        ("features.denseblock4.denselayer16.norm2.running_var", "conv5_block16_1_bn/moving_variance"),
        ("features.denseblock3.denselayer24.conv.2.weight", "conv4_block24_2_conv/kernel"),
        ("features.denseblock3.denselayer24.conv1.weight", "conv4_block24_1_conv/kernel"),
        ("features.transition1.norm.running_mean", "pool2_bn/moving_mean"),
        ("features.transition3.conv.weight", "pool4_conv/kernel"),
        ("features.norm5.weight", "bn/gamma"),
        ("stage3_unit6_bn3/stage3_unit6_bn3/gamma:0", "stage3_unit6_bn3/gamma"),
        ("model_1/stage1_unit1_sc/kernel:0", "stage1_unit1_sc/kernel"),
    ],
)
def test_a_layer_has_its_name_here(name, path):
    _, renamed = recognise([name], None)
    assert renamed == {path: [name]}


def test_convolutions_are_counted_by_number_wherever_their_numbering_starts():
    names = [f"conv2d_{n}/conv2d_{n}/kernel:0" for n in (110, 99, 95)]
    _, renamed = recognise([*names, "batch_normalization_9/beta:0", "batch_normalization/beta"], Encoder.INCEPTION_V3)
    assert renamed == {
        "conv_1/kernel": ["conv2d_95/conv2d_95/kernel:0"],
        "conv_2/kernel": ["conv2d_99/conv2d_99/kernel:0"],
        "conv_3/kernel": ["conv2d_110/conv2d_110/kernel:0"],
        "norm_1/beta": ["batch_normalization/beta"],
        "norm_2/beta": ["batch_normalization_9/beta:0"],
    }


@pytest.mark.parametrize(
    "name",
    ["predictions/predictions/kernel:0", "classifier.0.weight", "block1_conv1/kernel:0", "layer1.0.conv1.weight"],
)
def test_what_is_of_no_encoder_is_left_out(name):
    assert recognise([name], None)[1] == {}


def test_an_array_that_is_there_twice_is_seen():
    names = ["a.features.conv0.weight", "b.features.conv0.weight"]
    assert recognise(names, Encoder.CHEXNET)[1] == {"conv1_conv/kernel": names}
