"""The parts that encoders and decoders share. Every layer is named: weights are stored under these names."""

from collections.abc import Sequence

import keras
from keras import layers


def as_rgb(films: keras.KerasTensor) -> keras.KerasTensor:
    """[n, height, width, 3]: the grey film three times, as weights trained on colours expect it. Holds no variables."""
    return layers.Concatenate(name="film_rgb")([films, films, films])


def convolution(
    features: keras.KerasTensor, filters: int, *, name: str, momentum: float, strides: int = 1
) -> keras.KerasTensor:
    """3x3 convolution without bias, batch normalisation, relu."""
    features = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False, name=f"{name}_conv")(features)
    features = layers.BatchNormalization(momentum=momentum, name=f"{name}_norm")(features)
    return layers.ReLU(name=f"{name}_relu")(features)


def up_block(
    below: keras.KerasTensor, skips: Sequence[keras.KerasTensor], filters: int, *, name: str, momentum: float
) -> keras.KerasTensor:
    """Nearest upsampling x2 of `below`, joined with `skips`, then two convolutions.

    Source: our reading; the counts of Table V rule out transposed convolutions and a decoder without normalisation.
    """
    features = layers.UpSampling2D(2, name=f"{name}_up")(below)
    if skips:
        features = layers.Concatenate(name=f"{name}_join")([features, *skips])
    for i in (1, 2):
        features = convolution(features, filters, name=f"{name}_{i}", momentum=momentum)
    return features


def head(features: keras.KerasTensor) -> keras.KerasTensor:
    """Probabilities [n, height, width, 1]: 3x3 convolution with bias, then a sigmoid in float32 (P20)."""
    logits = layers.Conv2D(1, 3, padding="same", name="head_conv")(features)
    return layers.Activation("sigmoid", dtype="float32", name="probability")(logits)
