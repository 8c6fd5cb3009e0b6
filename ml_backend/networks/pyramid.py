"""What an encoder hands to a decoder."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras


@dataclass(frozen=True)
class Pyramid:
    """Features at halving scales, each [n, height / 2**r, width / 2**r, channels].

    Attributes
    ----------
    skips
        Row r = 1, 2, ... at scale 1/2**r, finest first.
    deepest
        The encoder's output, one row under the last skip.
    taps
        For rows 2, 3, ...: the features that a grid's first column joins from below. They are the skips, but for an
        encoder that offers others (ResNet-50).
    """

    skips: Sequence[keras.KerasTensor]
    deepest: keras.KerasTensor
    taps: Sequence[keras.KerasTensor] = field(default=())

    @property
    def depth(self) -> int:
        """The row of `deepest`: how often the film was halved."""
        return len(self.skips) + 1

    def skip(self, row: int) -> keras.KerasTensor:
        """X[row][0]: the encoder's feature at scale 1/2**row, row = 1..depth - 1."""
        return self.skips[row - 1]

    def tap(self, row: int) -> keras.KerasTensor:
        """D[row]: what lies under X[row - 1][1], row = 2..depth; D[depth] is the encoder's output."""
        if row == self.depth:
            return self.deepest
        return self.taps[row - 2] if self.taps else self.skip(row)


@dataclass(frozen=True)
class DecoderWidths:
    """How many filters a decoder has on an encoder, and how fast its normalisation follows the data.

    Attributes
    ----------
    unet
        Filters of U-Net's blocks, coarsest first.
    grid
        Filters of the rows 0, 1, ... of the grid of UNet++ and DLA, finest first.
    momentum
        Of the running statistics of batch normalisation. The Keras default suits thousands of steps; a network that
        trains for a few hundred needs statistics that follow faster.
    """

    unet: tuple[int, ...]
    grid: tuple[int, ...]
    momentum: float = 0.99


PAPER_WIDTHS = DecoderWidths(unet=(256, 128, 64, 32, 16), grid=(32, 64, 128, 256, 16))
"""The filters that Table V's counts require; row 4 of the grid has 16, an oddity of the original code."""
