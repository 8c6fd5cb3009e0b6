"""From a checkpoint and films to probability maps, by Keras; without a GPU `ml_backend.engine` is faster."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from db.domain.errors import InputError
from db.domain.mask import ProbabilityMap
from db.domain.network import NetworkSpec
from ml_backend import weights
from ml_backend.data import Film
from ml_backend.engine import Forward, Member
from ml_backend.networks import build
from ml_backend.task import RunFolder, TrainingSpec, file_digest

BATCH_SIZE = 8
"""Small batches are the fastest on a CPU, and bound the memory."""


def load_checkpoint(run: Path) -> tuple[keras.Model, dict[str, Any]]:
    """The trained network of a run's folder, and its card.

    Raises
    ------
    InputError
        If the run is not finished, or its checkpoint is not the one that the card describes.
    """
    folder = RunFolder(run)
    if not folder.is_done:
        msg = f"Run {folder.key[:12]} has no finished checkpoint."
        raise InputError(msg, hint="Train it first; an interrupted training goes on where it stopped.")
    card = json.loads(folder.card.read_text())
    if file_digest(folder.checkpoint) != card["checkpoint"]:
        msg = f"The checkpoint of run {folder.key[:12]} is not the one that its card describes."
        raise InputError(msg, hint="Remove the run's folder and train it again.")
    spec = TrainingSpec.from_json(card["spec"])
    return build(spec.network, input_size=spec.input_size, weights=folder.checkpoint), card


def predict(model: keras.Model, films: Film, *, batch_size: int = BATCH_SIZE) -> ProbabilityMap:
    """Probability maps float32 [n, side, side] of films uint8 [n, side, side]; `side` is the network's input size."""
    side = model.input_shape[1]
    if films.shape[1:] != (side, side):
        msg = f"{model.name} takes films [n, {side}, {side}]; {list(films.shape)} was received."
        raise InputError(msg, hint="Bring them to the input size with ml_backend.data.fit_film.")
    maps = np.empty(films.shape, np.float32)
    for first in range(0, len(films), batch_size):
        batch = films[first : first + batch_size]
        full = np.zeros((batch_size, side, side, 1), np.float32)  # one shape, so that the network is traced once
        full[: len(batch), ..., 0] = batch
        maps[first : first + batch_size] = np.asarray(model.predict_on_batch(full))[: len(batch), ..., 0]
    return maps


class KerasNetworks:
    """Members run by Keras: where it has a GPU, or the engine is not installed.

    A network is built and traced once, and takes the weights of each of its folds in turn.
    """

    def __init__(self) -> None:
        self._models: dict[tuple[str, int], tuple[keras.Model, Path]] = {}

    def load(self, member: Member) -> Forward:
        """One member, ready to run."""
        return lambda films: predict(self._model(member), films)

    def _model(self, member: Member) -> keras.Model:
        place = member.network, member.input_size
        model, loaded = self._models.get(place, (None, None))
        if model is None:
            model = build(NetworkSpec.parse(member.network), input_size=member.input_size)
        if loaded != member.weights:
            weights.load_model(model, member.weights)
        self._models[place] = model, member.weights
        return model
