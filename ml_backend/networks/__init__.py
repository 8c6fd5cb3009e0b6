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
        Side of the square input in pixels; divisible by the encoder's total stride, which is 32 for the paper's four.
    weights
        A safetensors file: of `ml_backend.weights.save_model` for the same network, or of its encoder alone, as
        `overread weights import` makes it. None starts from random values.

    Returns
    -------
    keras.Model
        [n, input_size, input_size, 1] grey levels 0..255 to [n, input_size, input_size, 1] probabilities 0..1. One
        grey channel, because films are grey: an encoder that was trained on colours gets it three times, scaled as
        its weights expect. Scaling holds no variables.

    Raises
    ------
    InputError
        If the input size does not fit, or the weights do not match.

    Source: Degerli et al., section III and Table V (P18, P20).
    """
    films, pyramid, widths = _encoded(Encoder(spec.encoder), input_size)
    encoder = keras.Model(films, pyramid.deepest, name=spec.encoder)
    if spec.frozen:
        _freeze(encoder)
    features = DECODERS[Decoder(spec.decoder)](pyramid, widths)
    model = keras.Model(films, blocks.head(features), name=spec.name)
    if weights is not None:
        stored_weights.load_start(model, encoder, Path(weights))
    return model


def build_encoder(encoder: Encoder, *, input_size: int = 224) -> keras.Model:
    """The encoder alone, [n, input_size, input_size, 1] grey levels to its deepest features; random values.

    Raises
    ------
    InputError
        If the input size does not fit.
    """
    films, pyramid, _ = _encoded(encoder, input_size)
    return keras.Model(films, pyramid.deepest, name=encoder.value)


def _encoded(encoder: Encoder, input_size: int) -> tuple[keras.KerasTensor, Pyramid, DecoderWidths]:
    recipe = encoders.RECIPES[encoder]
    if input_size <= 0 or input_size % recipe.stride:
        msg = f"Input size {input_size} does not fit encoder {encoder.value!r}, whose stride is {recipe.stride}."
        raise InputError(msg, hint=f"Use a multiple of {recipe.stride} pixels.")
    films = keras.Input((input_size, input_size, 1), name="film")
    return films, recipe.encode(films), recipe.widths


def _freeze(encoder: keras.Model) -> None:
    for layer in encoder.layers:
        layer.trainable = isinstance(layer, keras.layers.BatchNormalization)
