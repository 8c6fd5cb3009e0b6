"""The U-Net decoder."""

import keras

from ml_backend.networks.blocks import up_block
from ml_backend.networks.pyramid import DecoderWidths, Pyramid


def decode(pyramid: Pyramid, widths: DecoderWidths) -> keras.KerasTensor:
    """Features at the film's size: a block for each row from the deepest up; the last has no skip."""
    features = pyramid.deepest
    for row, filters in zip(reversed(range(pyramid.depth)), widths.unet, strict=True):
        skips = [pyramid.skip(row)] if row else []
        features = up_block(features, skips, filters, name=f"unet_{row}", momentum=widths.momentum)
    return features
