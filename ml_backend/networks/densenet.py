"""DenseNet-121, the encoder of the paper's best networks; CheXNet is the same graph with other weights."""

import keras
from keras import layers

from ml_backend.networks.blocks import as_rgb
from ml_backend.networks.pyramid import Pyramid

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
"""Of ImageNet's colours in 0..1, by which both ImageNet's and CheXNet's weights were trained."""

SKIPS = ("conv1_relu", "pool2_conv", "pool3_conv", "pool4_conv")
"""Finest first: the stem, and each transition's 1x1 convolution before its pooling."""


def encode(films: keras.KerasTensor) -> Pyramid:
    """Features of 64, 128, 256, 512 channels, and 1024 at the deepest.

    Source: `keras.applications.DenseNet121`; the skips are those that Table V's counts require (P18, P43).
    """
    scaled = layers.Rescaling(
        scale=[1 / (255 * deviation) for deviation in DEVIATION],
        offset=[-mean / deviation for mean, deviation in zip(MEAN, DEVIATION, strict=True)],
        name="film_scaling",
    )(as_rgb(films))
    encoder = keras.applications.DenseNet121(include_top=False, weights=None, input_tensor=scaled)
    return Pyramid(skips=[encoder.get_layer(name).output for name in SKIPS], deepest=encoder.output)
