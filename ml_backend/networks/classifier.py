"""An encoder as a classifier of whole films, for activation maps to compare infection maps with (P41)."""

from pathlib import Path

import keras
from keras import layers

from db.domain.network import Encoder
from ml_backend import weights as stored_weights
from ml_backend.networks import build_encoder

N_CLASSES = 2
"""Normal and infected, in this order."""


def build_classifier(encoder: Encoder, *, input_size: int = 224, weights: Path | str | None = None) -> keras.Model:
    """`encoder`, the mean of each deepest channel, and two output neurons.

    Parameters
    ----------
    encoder, input_size
        As for `ml_backend.networks.build`; every layer is trainable.
    weights
        A safetensors file of the same classifier, or of its encoder alone. None starts from random values.

    Returns
    -------
    keras.Model
        [n, input_size, input_size, 1] grey levels 0..255 to [n, 2] probabilities of normal and infected. The layer
        `score` gives them before the softmax, the encoder's last layer the features: Grad-CAM needs both.

    Raises
    ------
    InputError
        If the input size does not fit, or the weights do not match.

    Source: Degerli et al., section IV (P41). Departure: global average pooling before the neurons, as in CheXNet; the
    paper states none.
    """
    features = build_encoder(encoder, input_size=input_size)
    pooled = layers.GlobalAveragePooling2D(name="pooled")(features.output)
    score = layers.Dense(N_CLASSES, name="score")(pooled)
    probability = layers.Activation("softmax", dtype="float32", name="probability")(score)
    model = keras.Model(features.input, probability, name=f"classifier-{encoder}")
    if weights is not None:
        stored_weights.load_start(model, features, Path(weights))
    return model
