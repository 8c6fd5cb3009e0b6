"""Files of weights to arrays: good ones, broken ones, and those that mean harm.

Good ones, and one of each kind of harm, go through the confined process; the others are read here, because starting
that process takes half a second.
"""

import json
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import h5py
import numpy as np
import pytest

from db.domain.errors import InputError
from ml_backend.importing.child import read
from ml_backend.importing.conversion import read_arrays

FORMATS = ("zip", "legacy", "keras")
TORCH = ("zip", "legacy")


def convert(path: Path):
    with path.open("rb") as file:
        return read_arrays(path, file)


def read_here(path: Path):
    with path.open("rb") as file:
        return read(file)


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return OrderedDict(
        {"conv1/conv/kernel": rng.random((3, 3, 2, 4), np.float32), "conv1/bn/gamma": rng.random(4, np.float32)}
    )


@pytest.mark.parametrize("form", TORCH)
def test_tensors_come_back_with_what_training_kept_beside_them(form, write, arrays, tmp_path):
    kept = {"epoch": 3, "best": np.float64(0.5), "optimizer": {"state": {0: {"step": arrays["conv1/bn/gamma"]}}}}
    found = convert(write[form](tmp_path / "a.pth", {**kept, "state_dict": arrays}))
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("form", TORCH)
def test_tensors_at_the_top_and_transposed_ones_come_back(form, write, tmp_path):
    array = np.arange(6, dtype=np.float32)
    path = write[form](tmp_path / "a.pth", {"weight": array}, offset=1, size=(2, 2), stride=(1, 2))
    np.testing.assert_array_equal(read_here(path)["weight"], [[1, 3], [2, 4]])


def test_weights_alone_come_back_under_their_paths(write, arrays, tmp_path):
    found = convert(write["keras"](tmp_path / "a.h5", arrays))
    assert set(found) == {"conv1/conv/conv1/conv/kernel:0", "conv1/bn/conv1/bn/gamma:0"}
    np.testing.assert_array_equal(found["conv1/conv/conv1/conv/kernel:0"], arrays["conv1/conv/kernel"])


def test_other_numbers_become_float32(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["double"] = np.array([1.5], ">f8")
        file.create_dataset("half", data=np.array([0.5], "f2"), compression="gzip")
    found = convert(tmp_path / "a.h5")
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        "double": (np.float32, [1.5]),
        "half": (np.float32, [0.5]),
    }


def test_a_whole_model_gives_its_weights_without_the_optimizers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": {"layers": []}})
        file["model_weights/conv/conv/kernel"] = np.ones(2, np.float32)
        file["optimizer_weights/conv/kernel"] = np.ones(2, np.float32)
    assert set(read_here(tmp_path / "a.h5")) == {"conv/conv/kernel"}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
def test_a_truncated_file_is_refused(form, part, write, arrays, tmp_path):
    path = write[form](tmp_path / "weights", arrays)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(InputError, match=r"It is damaged or incomplete|It ends before|It is neither"):
        read_here(path)


def test_the_answer_of_the_confined_process_names_the_file(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputError, match=r"weights\.h5 cannot be imported\. It is damaged or incomplete \(OSError"):
        convert(tmp_path / "weights.h5")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "It is empty"),
        (b"The weights are in another castle.\n", "neither HDF5"),
        (b"\x80\x02}q\x00.", "a pickle, but no PyTorch checkpoint"),
    ],
)
def test_a_file_of_no_known_format_is_refused(data, message, tmp_path):
    (tmp_path / "a.h5").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_here(tmp_path / "a.h5")


def test_archives_of_other_kinds_are_refused(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(__file__)
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(InputError, match="a tar archive"):
        read_here(tmp_path / "a.tar")
    with pytest.raises(InputError, match="a model of Keras 3"):
        read_here(tmp_path / "a.keras")


@pytest.mark.parametrize("form", TORCH)
@pytest.mark.parametrize("place", ["beside the weights", "among the weights"])
def test_a_pickle_that_runs_a_command_is_refused_and_not_run(form, place, write, arrays, tmp_path):
    trap = Trap(tmp_path / "sprung")
    value = {"state_dict": arrays, "trap": trap} if place == "beside the weights" else {**arrays, "trap": trap}
    path = write[form](tmp_path / "weights.pth", value)
    with pytest.raises(InputError, match=r"asks for (posix|nt)\.system"):
        convert(path)
    assert list(tmp_path.iterdir()) == [path]


def test_the_trap_of_these_tests_works(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))  # noqa: S301 - the trap is ours
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize("where", ["magic number", "protocol", "system", "keys"])
def test_every_pickle_of_the_older_format_is_watched(where, tmp_path):
    parts = {
        "magic number": 0x1950A86A20F9469CFC6C,
        "protocol": 1001,
        "system": {"little_endian": True},
        "state": {},
        "keys": [],
    }
    parts[where] = Trap(tmp_path / "sprung")
    path = tmp_path / "a.pth"
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts.values()))
    with pytest.raises(InputError, match="asks for"):
        read_here(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_torchscript_program_is_refused_as_code(write, arrays, tmp_path):
    path = write["zip"](tmp_path / "a.pt", arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/constants.pkl", b"")
    with pytest.raises(InputError, match="carries code"):
        read_here(path)


@pytest.mark.parametrize("form", TORCH)
@pytest.mark.parametrize(
    "tensor",
    [
        {"offset": 1},
        {"offset": -1},
        {"size": (7,), "stride": (1,)},
        {"size": (2,), "stride": (6,)},
        {"size": (2,), "stride": (-1,)},
        {"size": (2, 2), "stride": (1,)},
        {"size": ("2",), "stride": (1,)},
    ],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(form, tensor, write, tmp_path):
    path = write[form](tmp_path / "a.pth", {"weight": np.ones(6, np.float32)}, **tensor)
    with pytest.raises(InputError, match=r"reaches beyond its storage|is damaged"):
        read_here(path)


@pytest.mark.parametrize("form", TORCH)
def test_a_tensor_that_claims_a_million_million_numbers_is_refused(form, write, tmp_path):
    path = write[form](tmp_path / "a.pth", {"weight": np.ones(6, np.float32)}, size=(10**6, 10**6), stride=(0, 0))
    with pytest.raises(InputError, match=r"weight \[1000000, 1000000\] brings it to .* 1000000000000 numbers"):
        read_here(path)


def test_a_compressed_checkpoint_is_refused(write, arrays, tmp_path):
    path = write["zip"](tmp_path / "a.pth", arrays)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/99", bytes(10**6))
    with pytest.raises(InputError, match="compressed"):
        read_here(path)


def test_a_lambda_layer_is_refused_as_code(tmp_path):
    import keras

    layers = [keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3), keras.layers.Lambda(lambda x: x * 2)]
    keras.Sequential(layers).save(tmp_path / "a.h5")
    with pytest.raises(InputError, match="carries code: its configuration has a Lambda"):
        convert(tmp_path / "a.h5")


def test_a_file_of_keras_3_without_names_is_refused(tmp_path):
    import keras

    keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 3)]).save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(InputError, match="does not name its layers"):
        read_here(tmp_path / "a.weights.h5")


def external_link(file, other):
    file["a"] = h5py.ExternalLink(str(other), "/secret")


def soft_link(file, other):  # noqa: ARG001 - as the others
    file["a"] = h5py.SoftLink("/b")


def virtual(file, other):
    layout = h5py.VirtualLayout((3,), np.float32)
    layout[:] = h5py.VirtualSource(str(other), "secret", (3,))
    file.create_virtual_dataset("a", layout)


def external_storage(file, other):
    file.create_dataset("a", (3,), np.float32, external=[(str(other), 0, 12)])


def objects(file, other):  # noqa: ARG001
    file.create_dataset("a", data=["text"], dtype=h5py.string_dtype())


def another_filter(file, other):  # noqa: ARG001
    file.create_dataset("a", data=np.ones(9), compression="lzf")


def claiming(file, other):  # noqa: ARG001
    file.create_dataset("a", (10**6, 10**6), np.float32, chunks=(10, 10), compression="gzip")


def endless(file, other):  # noqa: ARG001
    group = file.create_group("a")
    group["a"] = group


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external_link, "a is a link to elsewhere"),
        (soft_link, "a is a link to elsewhere"),
        (virtual, "a is no plain array"),
        (external_storage, "a is no plain array"),
        (objects, "a is no plain array"),
        (another_filter, "a is no plain array"),
        (claiming, r"a \[1000000, 1000000\] brings it to .* 1000000000000 numbers"),
        (endless, "nested too deeply"),
    ],
)
def test_what_is_no_plain_array_is_refused(make, message, tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones(3, np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        make(file, other)
    with pytest.raises(InputError, match=message):
        read_here(tmp_path / "a.h5")


def test_names_from_a_file_cannot_drive_a_terminal(write, tmp_path):
    path = write["zip"](tmp_path / "a.pth", {"\x1b[2Jweight": np.ones(1, np.float32)})
    assert set(convert(path)) == {r"\x1b[2Jweight"}
