"""Arrays out of a PyTorch checkpoint, without PyTorch: the zip format, and the older sequence of pickles.

A checkpoint is a pickle, and a pickle is a program. This one is interpreted with a short list of things that it may
name, each replaced by a stand-in that only keeps its arguments; anything else ends the reading.
"""

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from db.domain.errors import InputError
from ml_backend.importing.claims import MAX_NUMBERS, Arrays, Claims

ZIP_SIGNATURE = b"PK\x03\x04"
PICKLE_SIGNATURE = b"\x80"
TAR_SIGNATURE = b"ustar"
TAR_OFFSET = 257

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

STATE = "state_dict"
"""Where training scripts keep the weights, beside an epoch and an optimizer's state."""

COUNTER = "num_batches_tracked"
"""How often a normalisation was trained: no weight."""

STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
}

IGNORED = frozenset(
    {
        ("_codecs", "encode"),
        ("collections", "defaultdict"),
        ("numpy", "dtype"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy.core.multiarray", "scalar"),
        ("torch", "Size"),
        ("torch", "device"),
        *((module, name) for module in ("builtins", "__builtin__") for name in ("dict", "set")),
    }
)
"""What checkpoints hold beside weights: a best loss, an optimizer's state."""


class Storage(NamedTuple):
    """A run of numbers in the file."""

    dtype: str
    key: str
    n: int


class Tensor(NamedTuple):
    """A view of a storage, in numbers, as the file states it: not checked yet."""

    storage: Any
    offset: Any
    size: Any
    stride: Any


ReadStorage = Callable[[Storage], bytes]


def read_zip(file: BinaryIO) -> Arrays:
    """Every tensor of the checkpoint's state, float32, under its name.

    Raises
    ------
    InputError
        If the file carries code, is no checkpoint, or its parts contradict each other.
    """
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        roots = [name.removesuffix("data.pkl") for name in entries if name.endswith("/data.pkl")]
        if len(roots) != 1:
            what = "a model of Keras 3" if "model.weights.h5" in entries else "a zip archive"
            msg = f"It is {what}, not a PyTorch checkpoint."
            raise InputError(msg, hint='From Keras, save the whole model with `model.save("weights.h5")`.')
        (root,) = roots
        if f"{root}constants.pkl" in entries:
            msg = "It carries code: it is a TorchScript program. Nothing of it was run."
            raise InputError(msg, hint="Save the weights alone: `torch.save(model.state_dict(), path)`.")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            msg = "Its parts are compressed, which PyTorch never does."
            raise InputError(msg, hint="Take the file as PyTorch wrote it.")
        if f"{root}byteorder" in entries and archive.read(f"{root}byteorder") != b"little":
            _refuse_byte_order()
        with archive.open(f"{root}data.pkl") as pickled:
            state = _Unpickler(pickled, encoding="latin1").load()
        return _arrays(state, lambda storage: archive.read(f"{root}data/{storage.key}"))


def read_legacy(file: BinaryIO) -> Arrays:
    """As `read_zip`, from the format of PyTorch 0.1.10 to 1.5: five pickles, then the storages one after the other."""
    if _load(file) != MAGIC_NUMBER:
        msg = "It is a pickle, but no PyTorch checkpoint."
        raise InputError(msg, hint="Save the weights alone: `torch.save(model.state_dict(), path)`.")
    if (protocol := _load(file)) != PROTOCOL:
        msg = f"Its format is PyTorch's number {protocol}; known is {PROTOCOL}."
        raise InputError(msg, hint="Save it again with a current PyTorch.")
    system = _load(file)
    if not (isinstance(system, dict) and system.get("little_endian") is True):
        _refuse_byte_order()
    unpickler = _Unpickler(file, encoding="latin1")
    state = unpickler.load()
    places = {}
    for key in _load(file):
        storage = unpickler.storages[key]
        (n,) = np.frombuffer(file.read(8), "<i8")
        if n != storage.n:
            msg = f"Its storage {key} has {n} numbers where {storage.n} are announced."
            raise InputError(msg, hint="Fetch the file again.")
        places[key] = file.tell()
        file.seek(storage.n * np.dtype(storage.dtype).itemsize, 1)

    def read_storage(storage: Storage) -> bytes:
        file.seek(places[storage.key])
        return file.read(storage.n * np.dtype(storage.dtype).itemsize)

    return _arrays(state, read_storage)


class _Unpickler(pickle.Unpickler):
    """Interprets a pickle, and knows only what `find_class` names."""

    storages: dict[str, Storage]

    def __init__(self, file: Any, *, encoding: str) -> None:  # noqa: ANN401 - whatever pickle reads from
        super().__init__(file, encoding=encoding)
        self.storages = {}

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - pickle's signature
        if module in {"torch", "torch.cuda"} and name in STORAGES:
            return STORAGES[name]
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in REBUILD:
            return REBUILD[name]
        if (module, name) in IGNORED:
            return _Ignored
        msg = f"It can carry code: it asks for {module}.{name}, which weights do not need. Nothing of it was run."
        raise InputError(msg, hint="Save the weights alone: `torch.save(model.state_dict(), path)`.")

    def persistent_load(self, pid: Any) -> Storage:  # noqa: ANN401 - pickle's signature
        match pid:
            case ("storage", str(dtype), str(key), _, int(n), *rest) if (
                dtype in STORAGES.values() and 0 <= n <= MAX_NUMBERS and rest in ([], [None])
            ):
                return self.storages.setdefault(key, Storage(dtype, key, n))
        msg = "One of its storages is of an unknown kind or size."
        raise InputError(msg, hint="Save the weights alone: `torch.save(model.state_dict(), path)`.")


class _Ignored:
    """Takes any arguments, items and state, and does nothing with them."""

    def __init__(self, *_: object) -> None:
        pass

    def __setitem__(self, _: object, __: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass


def _tensor(storage: object, offset: object, size: object, stride: object, *_: object) -> Tensor:
    return Tensor(storage, offset, size, stride)


def _parameter(tensor: object, *_: object) -> object:
    return tensor


REBUILD = {"_rebuild_tensor": _tensor, "_rebuild_tensor_v2": _tensor, "_rebuild_parameter": _parameter}


def _load(file: BinaryIO) -> Any:  # noqa: ANN401 - a pickle holds anything
    return _Unpickler(file, encoding="latin1").load()


def _arrays(loaded: object, read_storage: ReadStorage) -> Arrays:
    state = loaded.get(STATE, loaded) if isinstance(loaded, Mapping) else {}
    tensors = {
        name: tensor
        for name, tensor in state.items()
        if isinstance(name, str) and isinstance(tensor, Tensor) and not name.endswith(COUNTER)
    }
    if not tensors:
        msg = f"It holds no tensors by name, neither at its top nor under {STATE}."
        raise InputError(msg, hint="Save the weights alone: `torch.save(model.state_dict(), path)`.")
    claims = Claims()
    for name, tensor in tensors.items():
        _check(name, tensor)
        claims.add(name, tensor.size)
    return {name: _array(name, tensor, read_storage) for name, tensor in tensors.items()}


def _check(name: str, tensor: Tensor) -> None:
    numbers = (tensor.offset, *tensor.size, *tensor.stride)
    last = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.size, tensor.stride, strict=True))
    if (
        not isinstance(tensor.storage, Storage)
        or not all(isinstance(number, int) and number >= 0 for number in numbers)
        or (math.prod(tensor.size) and last >= tensor.storage.n)
    ):
        msg = f"Its tensor {name} reaches beyond its storage."
        raise InputError(msg, hint="Fetch the file again.")


def _array(name: str, tensor: Tensor, read_storage: ReadStorage) -> npt.NDArray[np.float32]:
    data = read_storage(tensor.storage)
    dtype = np.dtype(tensor.storage.dtype)
    if len(data) != tensor.storage.n * dtype.itemsize:
        msg = f"It ends before the tensor {name} does."
        raise InputError(msg, hint="Fetch the file again.")
    numbers = np.frombuffer(data, dtype)[tensor.offset :]
    steps = [step * dtype.itemsize for step in tensor.stride]
    view = np.lib.stride_tricks.as_strided(numbers, tensor.size, steps, writeable=False)
    return np.array(view, np.float32, order="C")  # safetensors writes memory as it lies


def _refuse_byte_order() -> NoReturn:
    msg = "It was written on a big-endian machine, or does not say."
    raise InputError(msg, hint="Save it again on another machine.")
