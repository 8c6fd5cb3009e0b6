"""Small encoders for CPUs: nothing but convolutions."""

import keras
from keras import layers

from ml_backend.networks.blocks import convolution
from ml_backend.networks.pyramid import Pyramid


def encode(films: keras.KerasTensor, widths: tuple[int, ...], *, momentum: float) -> Pyramid:
    """A stride-2 stem, then for each further width a halving and a plain convolution.

    Each film is brought to mean 0 and variance 1 first, so that exposure does not matter.
    """
    features = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, name="film_scaling")(films)
    features = convolution(features, widths[0], name="encoder_1", momentum=momentum, strides=2)
    rows = [features]
    for row, filters in enumerate(widths[1:], start=2):
        features = convolution(features, filters, name=f"encoder_{row}_1", momentum=momentum, strides=2)
        features = convolution(features, filters, name=f"encoder_{row}_2", momentum=momentum)
        rows.append(features)
    return Pyramid(skips=rows[:-1], deepest=rows[-1])
