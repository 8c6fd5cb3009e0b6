"""Inception-v3 with padding "same" throughout, so that its features halve exactly and can be joined.

The layers are made in the order of `keras.applications.InceptionV3` and numbered from 1, `conv_1` to `conv_94`: the
n-th convolution of a weights file belongs to `conv_n`.
"""

from collections.abc import Sequence
from itertools import count

import keras
from keras import layers

from ml_backend.networks.blocks import as_rgb
from ml_backend.networks.pyramid import Pyramid

Kernel = tuple[int, int, int]
"""Filters, height and width of a convolution."""


def encode(films: keras.KerasTensor) -> Pyramid:
    """Features of 64, 192, 288, 768 channels, and 2048 at the deepest.

    Source: Szegedy et al., "Rethinking the Inception Architecture", as in `keras.applications`, whose padding "valid"
    gives 109, 52, 25 and 12 pixels at 224. Departure: "same"; the counts of Table V do not settle it (P18, P43).
    """
    scaled = layers.Rescaling(scale=1 / 127.5, offset=-1.0, name="film_scaling")(as_rgb(films))
    return _Inception().encode(scaled)


class _Inception:
    """Numbers the convolutions as they are made."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def encode(self, scaled: keras.KerasTensor) -> Pyramid:
        half = self._chain(scaled, [(32, 3, 3)], strides=2)
        half = self._chain(half, [(32, 3, 3), (64, 3, 3)])
        quarter = self._chain(_max_pool(half), [(80, 1, 1), (192, 3, 3)])
        eighth = _max_pool(quarter)
        for i, pooled in enumerate((32, 64, 64)):
            eighth = self._mixed_5x5(eighth, pooled, name=f"mixed{i}")
        sixteenth = self._halved(eighth, [([], (384, 3, 3)), ([(64, 1, 1), (96, 3, 3)], (96, 3, 3))], name="mixed3")
        for i, inner in enumerate((128, 160, 160, 192), start=4):
            sixteenth = self._mixed_7x7(sixteenth, inner, name=f"mixed{i}")
        long_branch = [(192, 1, 1), (192, 1, 7), (192, 7, 1)]
        deepest = self._halved(sixteenth, [([(192, 1, 1)], (320, 3, 3)), (long_branch, (192, 3, 3))], name="mixed8")
        for name in ("mixed9", "mixed10"):
            deepest = self._mixed_forked(deepest, name=name)
        return Pyramid(skips=[half, quarter, eighth, sixteenth], deepest=deepest)

    def _mixed_5x5(self, features: keras.KerasTensor, pooled: int, *, name: str) -> keras.KerasTensor:
        branches = [
            self._chain(features, [(64, 1, 1)]),
            self._chain(features, [(48, 1, 1), (64, 5, 5)]),
            self._chain(features, [(64, 1, 1), (96, 3, 3), (96, 3, 3)]),
            self._chain(_mean_pool(features), [(pooled, 1, 1)]),
        ]
        return layers.Concatenate(name=name)(branches)

    def _mixed_7x7(self, features: keras.KerasTensor, n: int, *, name: str) -> keras.KerasTensor:
        branches = [
            self._chain(features, [(192, 1, 1)]),
            self._chain(features, [(n, 1, 1), (n, 1, 7), (192, 7, 1)]),
            self._chain(features, [(n, 1, 1), (n, 7, 1), (n, 1, 7), (n, 7, 1), (192, 1, 7)]),
            self._chain(_mean_pool(features), [(192, 1, 1)]),
        ]
        return layers.Concatenate(name=name)(branches)

    def _mixed_forked(self, features: keras.KerasTensor, *, name: str) -> keras.KerasTensor:
        """The last two blocks: their 3x3 convolutions are split into a 1x3 and a 3x1 side by side."""
        branches = [
            self._chain(features, [(320, 1, 1)]),
            self._forked(self._chain(features, [(384, 1, 1)])),
            self._forked(self._chain(features, [(448, 1, 1), (384, 3, 3)])),
            self._chain(_mean_pool(features), [(192, 1, 1)]),
        ]
        return layers.Concatenate(name=name)(branches)

    def _forked(self, features: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Concatenate()([self._chain(features, [(384, 1, 3)]), self._chain(features, [(384, 3, 1)])])

    def _halved(
        self, features: keras.KerasTensor, branches: Sequence[tuple[Sequence[Kernel], Kernel]], *, name: str
    ) -> keras.KerasTensor:
        """Branches whose last convolution has stride 2, beside a max pooling."""
        ends = [self._chain(self._chain(features, chain), [last], strides=2) for chain, last in branches]
        return layers.Concatenate(name=name)([*ends, _max_pool(features)])

    def _chain(self, features: keras.KerasTensor, kernels: Sequence[Kernel], *, strides: int = 1) -> keras.KerasTensor:
        """Each convolution without bias, normalised without scale, relu."""
        for filters, height, width in kernels:
            n = next(self._numbers)
            convolution = layers.Conv2D(
                filters, (height, width), strides, padding="same", use_bias=False, name=f"conv_{n}"
            )
            features = layers.BatchNormalization(scale=False, name=f"norm_{n}")(convolution(features))
            features = layers.ReLU(name=f"relu_{n}")(features)
        return features


def _max_pool(features: keras.KerasTensor) -> keras.KerasTensor:
    return layers.MaxPooling2D(3, strides=2, padding="same")(features)


def _mean_pool(features: keras.KerasTensor) -> keras.KerasTensor:
    return layers.AveragePooling2D(3, strides=1, padding="same")(features)
