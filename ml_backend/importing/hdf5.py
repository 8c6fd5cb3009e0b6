"""Arrays out of a Keras HDF5 file, weights alone or a whole model; nothing of Keras is called.

A file names its arrays `LAYER/WEIGHT`, for example `conv1/conv/conv1/conv/kernel:0` of layer `conv1/conv`.
"""

import json
from collections.abc import Iterator
from typing import BinaryIO

import h5py
import numpy as np

from db.domain.errors import InputError
from ml_backend.importing.claims import Arrays, Claims

SIGNATURE = b"\x89HDF\r\n\x1a\n"

CONFIGS = ("model_config", "training_config")
"""Attributes in which a whole model's file says how to build it again."""

CODE = ("Lambda", "__lambda__", "lambda")
"""What layers and functions are called whose Python code is in the file."""

FILTERS = frozenset({h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32})
"""Others may load a plug-in."""

MAX_DEPTH = 12


def read(file: BinaryIO) -> Arrays:
    """Every array of the file's weights, float32, under its path in the file.

    Raises
    ------
    InputError
        If the file carries code, points to other files, claims too much, or is of a layout that names no layers.
    """
    with h5py.File(file, "r") as opened:
        for config in CONFIGS:
            _refuse_code(opened.attrs.get(config, "{}"))
        claims = Claims()
        arrays = {}
        for name, dataset in _datasets(opened, "", claims):
            if name.startswith("optimizer_weights/"):
                continue
            _check(name, dataset)
            claims.add(name, dataset.shape)
            arrays[name.removeprefix("model_weights/")] = np.asarray(dataset[()], np.float32)
    if any("/vars/" in name for name in arrays):
        msg = "It is a `.weights.h5` file of Keras 3, which does not name its layers."
        raise InputError(msg, hint='Save the whole model with `model.save("weights.h5")` and import that.')
    return arrays


def _refuse_code(config: object) -> None:
    waiting = [json.loads(config) if isinstance(config, (str, bytes)) else config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            if found := [name for name in CODE if name in {value.get("class_name"), value.get("function_type")}]:
                msg = f"It carries code: its configuration has a {found[0]}. Nothing of it was run."
                raise InputError(msg, hint="Save the weights alone, or a model without Lambda layers.")
            waiting += value.values()


def _datasets(group: h5py.Group, prefix: str, claims: Claims) -> Iterator[tuple[str, h5py.Dataset]]:
    for key in group:
        name = f"{prefix}{key}"
        claims.add(name, (0,))  # groups count too, so that a group that holds itself comes to an end
        if not isinstance(group.get(key, getlink=True), h5py.HardLink) or name.count("/") > MAX_DEPTH:
            msg = f"Its {name} is a link to elsewhere, or nested too deeply."
            raise InputError(msg, hint="Files of weights hold their arrays themselves.")
        item = group[key]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, f"{name}/", claims)
        elif isinstance(item, h5py.Dataset):
            yield name, item


def _check(name: str, dataset: h5py.Dataset) -> None:
    creation = dataset.id.get_create_plist()
    filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
    if (
        dataset.dtype.kind not in "fiub"
        or dataset.shape is None
        or dataset.is_virtual
        or dataset.external
        or not filters <= FILTERS
    ):
        msg = f"Its {name} is no plain array of numbers."
        raise InputError(msg, hint="Files of weights hold nothing else.")
