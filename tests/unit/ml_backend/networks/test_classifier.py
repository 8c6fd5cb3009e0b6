import keras
import numpy as np
import pytest

from db.domain.network import Encoder
from ml_backend import weights
from ml_backend.networks import build_encoder
from ml_backend.networks.classifier import build_classifier

FILM = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 1)).astype(np.float32)


@pytest.mark.parametrize("encoder", [Encoder.CHEXNET, Encoder.INCEPTION_V3, Encoder.RESNET50, Encoder.SMALL])
def test_a_classifier_gives_two_probabilities_a_film(encoder: Encoder) -> None:
    model = build_classifier(encoder, input_size=32)
    probability = np.asarray(model(FILM))
    assert probability.shape == (2, 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-5)


def test_the_score_stands_before_the_softmax() -> None:
    model = build_classifier(Encoder.TINY, input_size=32)
    score = np.asarray(keras.Model(model.input, model.get_layer("score").output)(FILM))
    expected = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(model(FILM)), expected, rtol=1e-5)


def test_a_classifier_starts_from_its_encoders_weights(tmp_path) -> None:
    encoder = build_encoder(Encoder.TINY, input_size=32)
    path = tmp_path / "encoder.safetensors"
    weights.save_arrays(weights.read(encoder.weights), path, text={weights.ENCODER: "tiny"})
    model = build_classifier(Encoder.TINY, input_size=32, weights=path)
    started = keras.Model(model.input, model.get_layer("pooled").input)
    np.testing.assert_allclose(np.asarray(started(FILM)), np.asarray(encoder(FILM)), rtol=1e-6)
