"""The process that reads a stranger's file: standard input to safetensors on standard output.

It exits with 0, or with `REFUSED` and a last line of JSON on standard error. It never imports Keras, TensorFlow or
PyTorch.
"""

import codecs
import json
import os
import sys
from collections.abc import Callable
from typing import BinaryIO, NoReturn

from safetensors.numpy import save

from db.domain.errors import InputError
from ml_backend.importing import hdf5, pytorch
from ml_backend.importing.claims import Arrays
from ml_backend.importing.confinement import confine

REFUSED = 2

CODECS = ("ascii", "cp437", "latin1", "utf-8")
"""In which files write names. Python loads a codec when it is first asked for, which is too late once confined."""


def read(file: BinaryIO) -> Arrays:
    """The arrays of a file of any known format, told by its first bytes.

    Raises
    ------
    InputError
        If it is of none, damaged, or carries code.
    """
    try:
        return _reader(file)(file)
    except InputError:
        raise
    except Exception as error:
        msg = f"It is damaged or incomplete ({type(error).__name__}: {error})."
        raise InputError(msg, hint="Fetch the file again.") from error


def main() -> NoReturn:
    """Convert, or say why not; ends the process."""
    for name in CODECS:
        codecs.lookup(name)
    confine()
    try:
        data = save(read(sys.stdin.buffer))
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except InputError as error:
        _refuse(error.message, error.hint)
    except (MemoryError, OSError) as error:
        _refuse(f"It is too much ({error}).", "Make room, or give a smaller file.")
    os._exit(0)  # what an interpreter does at its end is not confined to reading either


def _reader(file: BinaryIO) -> Callable[[BinaryIO], Arrays]:
    start = file.read(pytorch.TAR_OFFSET + len(pytorch.TAR_SIGNATURE))
    file.seek(0)
    if start.startswith(hdf5.SIGNATURE):
        return hdf5.read
    if start.startswith(pytorch.ZIP_SIGNATURE):
        return pytorch.read_zip
    if start.startswith(pytorch.PICKLE_SIGNATURE):
        return pytorch.read_legacy
    if start.endswith(pytorch.TAR_SIGNATURE):
        msg = "It is a tar archive, or a checkpoint of a PyTorch older than 0.1.10."
        raise InputError(msg, hint="Unpack it, or save it again with a current PyTorch.")
    msg = "It is neither HDF5 (Keras) nor a PyTorch checkpoint." if start else "It is empty."
    raise InputError(msg, hint="Fetch the file again, or give another.")


def _refuse(message: str, hint: str) -> NoReturn:
    line = json.dumps({"message": message, "hint": hint})
    os.write(sys.stderr.fileno(), f"\n{line}\n".encode())
    os._exit(REFUSED)


if __name__ == "__main__":
    main()
