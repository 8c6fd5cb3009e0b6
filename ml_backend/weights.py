"""Weights as safetensors: named arrays and a little text, never code.

An array is stored under the path of its variable (`encoder_1_conv/kernel`), so that a file belongs to one network and
says what does not match when it is loaded into another.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import safetensors
from safetensors.numpy import save_file

from db.domain.errors import InputError
from ml_backend.publishing import publish

Arrays = dict[str, npt.NDArray[np.generic]]

ENCODER = "encoder"
"""Name of the text in a file that holds an encoder's weights only: which encoder's."""

CORPUS = "corpus"
"""Name of the text that says what films the weights were trained on (P19)."""

MAX_NAMED = 5
"""How many mismatches an error message names."""


def save_model(model: keras.Model, path: Path, *, text: Mapping[str, str] | None = None) -> None:
    """Write every weight of `model`, trainable or not, and a few named texts to `path` at once or not at all."""
    save_arrays(read(model.weights), path, text=text)


def load_model(model: keras.Model, path: Path) -> None:
    """Set every weight of `model` from `path`.

    Raises
    ------
    InputError
        If `path` is no complete safetensors file, or its names or shapes are not those of the model.
    """
    arrays, _ = load_arrays(path)
    _assign_all(model, arrays, path)


def load_start(model: keras.Model, encoder: keras.Model, path: Path) -> None:
    """Set the weights that `model` starts from: all of them, or those of its `encoder` where `path` holds no more.

    Raises
    ------
    InputError
        If `path` is no complete safetensors file, is of another encoder, or its names or shapes do not match.
    """
    arrays, text = load_arrays(path)
    of_encoder = text.get(ENCODER)
    if of_encoder not in {None, encoder.name}:
        msg = f"{path.name} holds the weights of encoder {of_encoder}; {model.name} has {encoder.name}."
        raise InputError(msg, hint=f"Import weights of {encoder.name}, or start without weights.")
    _assign_all(encoder if of_encoder else model, arrays, path)


def read(variables: Iterable[keras.Variable]) -> Arrays:
    """A copy of each variable's value by its path."""
    return {variable.path: np.array(keras.ops.convert_to_numpy(variable)) for variable in variables}


def assign(variables: Iterable[keras.Variable], arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Set each variable from the array under its path; nothing is set unless all names and shapes match."""
    by_path = {variable.path: variable for variable in variables}
    problems = [f"{path} is missing" for path in sorted(by_path.keys() - arrays.keys())]
    problems += [f"{path} is unknown" for path in sorted(arrays.keys() - by_path.keys())]
    problems += [
        f"{path} is {list(arrays[path].shape)} instead of {list(by_path[path].shape)}"
        for path in sorted(by_path.keys() & arrays.keys())
        if tuple(by_path[path].shape) != arrays[path].shape
    ]
    if problems:
        more = f", and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        msg = f"{'; '.join(problems[:MAX_NAMED])}{more}."
        raise InputError(msg)
    for path, variable in by_path.items():
        variable.assign(arrays[path])


def save_arrays(arrays: Arrays, path: Path, *, text: Mapping[str, str] | None = None) -> None:
    """Write named arrays and a few named texts to `path` at once or not at all."""
    with publish(path) as temporary:
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, temporary, dict(text or {}))


def load_arrays(path: Path) -> tuple[Arrays, dict[str, str]]:
    """The arrays and texts of `save_arrays`.

    Raises
    ------
    InputError
        If `path` is missing, truncated or of another format.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as opened:
            names: list[str] = opened.keys()
            return {name: opened.get_tensor(name) for name in names}, dict(opened.metadata() or {})
    except (OSError, safetensors.SafetensorError) as error:
        msg = f"{path.name} is not a readable safetensors file: {error}"
        raise InputError(msg, hint="Other formats are converted with `overread weights import`.") from None


def _assign_all(model: keras.Model, arrays: Arrays, path: Path) -> None:
    try:
        assign(model.weights, arrays)
    except InputError as error:
        msg = f"{path.name} does not hold the weights of {model.name}: {error.message}"
        raise InputError(msg, hint="Choose the file of this network, or start without weights.") from None
