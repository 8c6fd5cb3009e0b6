"""The decoder with deep layer aggregation (DLA)."""

import keras

from ml_backend.networks import grid
from ml_backend.networks.pyramid import DecoderWidths, Pyramid


def decode(pyramid: Pyramid, widths: DecoderWidths) -> keras.KerasTensor:
    """Features at the film's size; a node joins only the last node of its row."""
    return grid.decode(pyramid, widths, lambda earlier: earlier[-1:])
