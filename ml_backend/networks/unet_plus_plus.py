"""The UNet++ decoder."""

import keras

from ml_backend.networks import grid
from ml_backend.networks.pyramid import DecoderWidths, Pyramid


def decode(pyramid: Pyramid, widths: DecoderWidths) -> keras.KerasTensor:
    """Features at the film's size; a node joins every earlier node of its row."""
    return grid.decode(pyramid, widths, lambda earlier: earlier)
