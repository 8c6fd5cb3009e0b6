"""The encoders, and what each needs of its surroundings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import keras
from keras import layers

from db.domain.errors import InputError
from db.domain.network import Encoder
from ml_backend.networks.blocks import convolution
from ml_backend.networks.pyramid import DecoderWidths, Pyramid


@dataclass(frozen=True)
class EncoderRecipe:
    """How to make an encoder's pyramid out of films [n, side, side, 1], and the decoder that fits it.

    `stride` is the total reduction: the film's side divided by that of the deepest features.
    """

    encode: Callable[[keras.KerasTensor], Pyramid]
    widths: DecoderWidths
    stride: int


def find(encoder: Encoder) -> EncoderRecipe:
    """The recipe of `encoder`.

    Raises
    ------
    InputError
        If this version has none; the message lists those that there are.
    """
    if encoder not in RECIPES:
        msg = f"Encoder {encoder.value!r} is not available in this version."
        raise InputError(msg, hint=f"Available: {', '.join(RECIPES)}.")
    return RECIPES[encoder]


def plain(films: keras.KerasTensor, widths: tuple[int, ...], *, momentum: float) -> Pyramid:
    """A small encoder for CPUs: a stride-2 stem, then for each further width a halving and a plain convolution.

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


def _plain_recipe(encoder_widths: tuple[int, ...], widths: DecoderWidths) -> EncoderRecipe:
    encode = partial(plain, widths=encoder_widths, momentum=widths.momentum)
    return EncoderRecipe(encode, widths, stride=2 ** len(encoder_widths))


RECIPES: Mapping[Encoder, EncoderRecipe] = {
    Encoder.SMALL: _plain_recipe(
        (16, 24, 32, 48), DecoderWidths(unet=(32, 24, 16, 8), grid=(8, 16, 20, 24), momentum=0.9)
    ),
    Encoder.TINY: _plain_recipe((4, 8, 8), DecoderWidths(unet=(8, 8, 4), grid=(4, 8, 8), momentum=0.9)),
}
