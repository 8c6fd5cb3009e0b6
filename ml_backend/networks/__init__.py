"""Segmentation networks: any decoder on any encoder, as `NetworkSpec` names them (P18).

An encoder makes a `Pyramid` of features, a decoder turns a pyramid into features at the film's size, the head turns
those into probabilities. Nothing else knows of both sides, so that every encoder serves every decoder.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import keras

from db.domain.errors import InputError
from db.domain.network import Decoder, Encoder, NetworkSpec
from ml_backend import weights as stored_weights
from ml_backend.networks import blocks, dla, encoders, unet, unet_plus_plus
from ml_backend.networks.pyramid import DecoderWidths, Pyramid

DECODERS: Mapping[Decoder, Callable[[Pyramid, DecoderWidths], keras.KerasTensor]] = {
    Decoder.UNET: unet.decode,
    Decoder.UNET_PLUS_PLUS: unet_plus_plus.decode,
    Decoder.DLA: dla.decode,
}


def build(spec: NetworkSpec, *, input_size: int = 224, weights: Path | str | None = None) -> keras.Model:
    """The network that `spec` names.

    Parameters
    ----------
    spec
        Decoder, encoder, and whether the encoder's convolutions stay as they are loaded. Frozen leaves the encoder's
        batch normalisation trainable, as the paper's parameter counts show (Table V).
    input_size
        Side of the square input in pixels; divisible by the encoder's total stride.
    weights
        A safetensors file of `ml_backend.weights.save_model` for the same network; None starts from random values.

    Returns
    -------
    keras.Model
        [n, input_size, input_size, 1] grey levels 0..255 to [n, input_size, input_size, 1] probabilities 0..1. One
        grey channel, because films are grey: an encoder that needs three repeats it. Scaling holds no variables.

    Raises
    ------
    InputError
        If the encoder is not available, the input size does not fit, or the weights do not match.

    Source: Degerli et al., section III and Table V (P18, P20).
    """
    recipe = encoders.find(Encoder(spec.encoder))
    if input_size <= 0 or input_size % recipe.stride:
        msg = f"Input size {input_size} does not fit encoder {str(spec.encoder)!r}, whose stride is {recipe.stride}."
        raise InputError(msg, hint=f"Use a multiple of {recipe.stride} pixels.")
    films = keras.Input((input_size, input_size, 1), name="film")
    pyramid = recipe.encode(films)
    if spec.frozen:
        _freeze(keras.Model(films, pyramid.deepest))
    features = DECODERS[Decoder(spec.decoder)](pyramid, recipe.widths)
    model = keras.Model(films, blocks.head(features), name=spec.name)
    if weights is not None:
        stored_weights.load_model(model, Path(weights))
    return model


def _freeze(encoder: keras.Model) -> None:
    for layer in encoder.layers:
        layer.trainable = isinstance(layer, keras.layers.BatchNormalization)
