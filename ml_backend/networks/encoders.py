"""The encoders, and what each needs of its surroundings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import keras

from db.domain.network import Encoder
from ml_backend.networks import densenet, inception, plain, resnet
from ml_backend.networks.pyramid import PAPER_WIDTHS, DecoderWidths, Pyramid


@dataclass(frozen=True)
class EncoderRecipe:
    """How to make an encoder's pyramid out of films [n, side, side, 1], and the decoder that fits it.

    `stride` is the total reduction: the film's side divided by that of the deepest features.
    """

    encode: Callable[[keras.KerasTensor], Pyramid]
    widths: DecoderWidths = PAPER_WIDTHS
    stride: int = 32


def _plain(encoder_widths: tuple[int, ...], widths: DecoderWidths) -> EncoderRecipe:
    encode = partial(plain.encode, widths=encoder_widths, momentum=widths.momentum)
    return EncoderRecipe(encode, widths, stride=2 ** len(encoder_widths))


RECIPES: Mapping[Encoder, EncoderRecipe] = {
    Encoder.CHEXNET: EncoderRecipe(densenet.encode),
    Encoder.DENSENET121: EncoderRecipe(densenet.encode),
    Encoder.INCEPTION_V3: EncoderRecipe(inception.encode),
    Encoder.RESNET50: EncoderRecipe(resnet.encode),
    Encoder.MEDIUM: _plain(
        (16, 32, 48, 64, 96), DecoderWidths(unet=(64, 48, 32, 16, 8), grid=(8, 16, 32, 48, 64), momentum=0.9)
    ),
    Encoder.SMALL: _plain((16, 24, 32, 48), DecoderWidths(unet=(32, 24, 16, 8), grid=(8, 16, 20, 24), momentum=0.9)),
    Encoder.TINY: _plain((4, 8, 8), DecoderWidths(unet=(8, 8, 4), grid=(4, 8, 8), momentum=0.9)),
}
