"""Files of weights in the layouts that users have, made without the programs that made those."""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pytest


class Named(NamedTuple):
    """Something that a pickle names; it need not exist here."""

    module: str
    name: str

    def __call__(self) -> None:
        """Callable in the pickle's eyes."""


class Numbers(NamedTuple):
    """A storage of PyTorch."""

    key: str
    array: Any


PurePickler: Any = pickle._Pickler  # the one whose steps can be replaced; nothing knows its types


class TorchPickler(PurePickler):
    """Writes numpy arrays as PyTorch writes tensors."""

    dispatch = PurePickler.dispatch.copy()

    def __init__(self, file, numbers, **tensor):
        super().__init__(file, protocol=2)
        self.numbers = numbers
        self.tensor = tensor

    def save_named(self, named):
        self.write(b"c" + f"{named.module}\n{named.name}\n".encode())

    def save_array(self, array):
        numbers = Numbers(str(len(self.numbers)), array)
        self.numbers.append(numbers)
        strides = tuple(step // array.itemsize for step in np.empty(array.shape, array.dtype).strides)
        view = {"offset": 0, "size": array.shape, "stride": strides} | self.tensor
        arguments: tuple[object, ...] = (numbers, view["offset"], view["size"], view["stride"], False, OrderedDict())
        self.save_reduce(Named("torch._utils", "_rebuild_tensor_v2"), arguments)

    dispatch[Named] = save_named
    dispatch[np.ndarray] = save_array

    def persistent_id(self, value):
        if not isinstance(value, Numbers):
            return None
        return ("storage", Named("torch", "FloatStorage"), value.key, "cpu", value.array.size)


def torch_zip(path: Path, value: object, **tensor: object) -> Path:
    """A checkpoint in the zip format; `tensor` overrides what every tensor says of its storage."""
    numbers: list[Numbers] = []
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("archive/data.pkl", "w") as file:
            TorchPickler(file, numbers, **tensor).dump(value)
        archive.writestr("archive/byteorder", "little")
        for one in numbers:
            archive.writestr(f"archive/data/{one.key}", one.array.tobytes())
    return path


def torch_legacy(path: Path, value: object, **tensor: object) -> Path:
    """A checkpoint in the format before PyTorch 1.6."""
    numbers: list[Numbers] = []
    with path.open("wb") as file:
        for header in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
            pickle.dump(header, file, protocol=2)
        TorchPickler(file, numbers, **tensor).dump(value)
        pickle.dump([one.key for one in numbers], file, protocol=2)
        for one in numbers:
            file.write(one.array.size.to_bytes(8, "little") + one.array.tobytes())
    return path


def keras_h5(path: Path, arrays: dict[str, Any]) -> Path:
    """Weights alone, as Keras 2 wrote them: `LAYER/kernel` as `LAYER/LAYER/kernel:0`."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in {name.rpartition("/")[0]: 0 for name in arrays}]
        for name, array in arrays.items():
            layer, _, weight = name.rpartition("/")
            file[f"{layer}/{layer}/{weight}:0"] = array
    return path


@pytest.fixture(scope="session")
def write():
    """The writers by the names of their formats."""
    return {"zip": torch_zip, "legacy": torch_legacy, "keras": keras_h5}


@pytest.fixture(scope="session")
def random_weights():
    """A function that gives every weight of a Keras model its own random values, variances above 0."""

    def randomise(model):
        rng = np.random.default_rng(3)
        for variable in model.weights:
            values = rng.normal(size=variable.shape).astype(np.float32)
            if variable.path.endswith("kernel"):
                values *= np.float32(np.sqrt(2 / np.prod(variable.shape[:-1])))
            variable.assign(np.abs(values) + 0.5 if variable.path.endswith(("variance", "gamma")) else values)
        return model

    return randomise
