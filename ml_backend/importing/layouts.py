"""How the files that users have name an encoder's arrays, and what they are called here."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from db.domain.network import Encoder
from ml_backend.importing.claims import Arrays

Renamed = dict[str, list[str]]
"""The encoder's path of a variable -> the file's names for it; more than one is one too many."""

PARTS_OF_LAYER_NAME = (2, 1)
"""A layer of the older Keras may be called `conv1/conv`."""


@dataclass(frozen=True)
class Layout:
    """One way to name arrays.

    Attributes
    ----------
    name
        Whose way it is.
    encoders
        Which encoders come in it; the first weights of DenseNet-121 and CheXNet differ in numbers only.
    rename
        The file's names, without those of no layer of the encoder.
    transpose
        The axes of a kernel as the file has them, in the order [height, width, in, out].
    """

    name: str
    encoders: tuple[Encoder, ...]
    rename: Callable[[Iterable[str]], Renamed]
    transpose: tuple[int, ...] | None = None

    def arrays(self, arrays: Arrays, names: Mapping[str, str]) -> Arrays:
        """The arrays under the paths of the encoder's variables, `names` being path -> the file's name."""
        found = {path: arrays[name] for path, name in names.items()}
        if self.transpose is None:
            return found
        return {
            path: np.transpose(array, self.transpose) if array.ndim == len(self.transpose) else array
            for path, array in found.items()
        }


def recognise(names: Iterable[str], encoder: Encoder | None) -> tuple[Layout, Renamed]:
    """The layout of which most of `names` are, among those of `encoder` if it is given."""
    names = list(names)
    renamed = [(layout, layout.rename(names)) for layout in LAYOUTS if encoder is None or encoder in layout.encoders]
    return max(renamed, key=lambda pair: len(pair[1]))


def _keras(pattern: str, rename: Callable[[re.Match[str]], str]) -> Callable[[Iterable[str]], Renamed]:
    """Layers of Keras whose names match `pattern`."""

    def renamed(names: Iterable[str]) -> Renamed:
        found: Renamed = defaultdict(list)
        for name in names:
            if layer := _layer(name, pattern):
                found[f"{rename(layer)}/{_variable(name)}"].append(name)
        return found

    return renamed


def _layer(name: str, pattern: str) -> re.Match[str] | None:
    """The layer of a Keras array: the beginning of its path, or its end where the layer is in a nested model."""
    parts = name.split("/")[:-1]
    for n in PARTS_OF_LAYER_NAME:
        for candidate in (parts[:n], parts[-n:]):
            if match := re.fullmatch(pattern, "/".join(candidate)):
                return match
    return None


def _variable(name: str) -> str:
    return name.rsplit("/", 1)[-1].removesuffix(":0")


def _keras_inception(names: Iterable[str]) -> Renamed:
    """The n-th convolution and normalisation by their numbers, wherever the numbering starts; see `inception.py`."""
    layers = {name: layer for name in names if (layer := _layer(name, r"(conv2d|batch_normalization)(?:_(\d+))?"))}
    numbers: dict[str, set[int]] = {"conv2d": set(), "batch_normalization": set()}
    for layer in layers.values():
        numbers[layer[1]].add(int(layer[2] or 0))
    ranks = {kind: {number: rank for rank, number in enumerate(sorted(found), 1)} for kind, found in numbers.items()}
    ours = {"conv2d": "conv", "batch_normalization": "norm"}
    renamed: Renamed = defaultdict(list)
    for name, layer in layers.items():
        renamed[f"{ours[layer[1]]}_{ranks[layer[1]][int(layer[2] or 0)]}/{_variable(name)}"].append(name)
    return renamed


TORCH_DENSENET = re.compile(
    r"(?:.*\.)?"
    r"(?:conv0|(?P<stem>norm0)|(?P<last>norm5)"
    r"|denseblock(?P<block>\d)\.denselayer(?P<unit>\d+)\.(?P<kind>conv|norm)\.?(?P<n>[12])"
    r"|transition(?P<transition>\d)\.(?P<inner>conv|norm))"
    r"\.(?P<variable>weight|bias|running_mean|running_var)"
)
"""Whatever stands before (`module.densenet121.features.`) says how the network was wrapped. torchvision wrote `norm.1`
before it wrote `norm1`."""

TORCH_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def _torch_densenet(names: Iterable[str]) -> Renamed:
    renamed: Renamed = defaultdict(list)
    for name in names:
        if match := TORCH_DENSENET.fullmatch(name):
            layer = _torch_layer(match)
            variable = match["variable"]
            if layer.endswith("bn"):
                variable = TORCH_NORM[variable]
            elif variable == "weight":
                variable = "kernel"
            renamed[f"{layer}/{variable}"].append(name)
    return renamed


def _torch_layer(match: re.Match[str]) -> str:
    if match["stem"] or match["last"]:
        return "conv1_bn" if match["stem"] else "bn"
    if match["transition"]:
        return f"pool{int(match['transition']) + 1}_{'conv' if match['inner'] == 'conv' else 'bn'}"
    if match["block"]:
        norm = f"{int(match['n']) - 1}_bn"
        unit = f"{match['n']}_conv" if match["kind"] == "conv" else norm
        return f"conv{int(match['block']) + 1}_block{match['unit']}_{unit}"
    return "conv1_conv"


DENSENET = (Encoder.DENSENET121, Encoder.CHEXNET)

LAYOUTS = (
    Layout(
        "keras.applications DenseNet-121",
        DENSENET,
        _keras(
            r"conv1[/_](?:conv|bn)|conv\d_block\d+_(?:[01]_bn|[12]_conv)|pool\d_(?:bn|conv)|bn",
            lambda layer: layer[0].replace("/", "_"),
        ),
    ),
    Layout("torchvision DenseNet-121", DENSENET, _torch_densenet, transpose=(2, 3, 1, 0)),
    Layout("keras.applications Inception-v3", (Encoder.INCEPTION_V3,), _keras_inception),
    Layout(
        "classification_models ResNet-50",
        (Encoder.RESNET50,),
        _keras(r"bn_data|conv0|bn[01]|stage\d_unit\d+_(?:(?:conv|bn)\d|sc)", lambda layer: layer[0]),
    ),
)
