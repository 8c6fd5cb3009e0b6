"""A stranger's file to arrays, by a process that can do nothing else."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from db.domain.errors import InputError
from ml_backend.importing.claims import Arrays
from ml_backend.importing.confinement import MAX_CPU_S, MAX_MEMORY_BYTES
from ml_backend.weights import load_arrays

CHILD = (sys.executable, "-I", "-W", "ignore", "-m", "ml_backend.importing.child")
"""Isolated: neither the working folder nor the environment adds code to it."""

ENVIRONMENT = {"HDF5_PLUGIN_PRELOAD": "::", "OPENBLAS_NUM_THREADS": "1"}
"""HDF5 loads no plug-in, and numpy no threads, whose stacks would count against the memory."""

TIMEOUT_S = 10 * MAX_CPU_S


def read_arrays(path: Path, file: BinaryIO) -> Arrays:
    """The arrays of `file`, which is open at its start; float32, under the names that the file gives them.

    Raises
    ------
    InputError
        If the file carries code, is damaged, of an unknown format, or too much for the process that reads it.
    """
    with tempfile.TemporaryDirectory(prefix="overread-") as folder:
        made = Path(folder) / "arrays.safetensors"
        with made.open("wb") as output:
            try:
                finished = subprocess.run(
                    CHILD,
                    stdin=file,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    cwd=folder,
                    env=ENVIRONMENT,
                    timeout=TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                msg = f"{path.name} was not read in {TIMEOUT_S} s."
                raise InputError(msg, hint="Fetch the file again.") from None
        if finished.returncode:
            raise _refusal(path, finished)
        return {printable(name): array.astype(np.float32) for name, array in load_arrays(made)[0].items()}


def printable(text: str) -> str:
    """`text` as a terminal may show it: what a file says is not to move a cursor."""
    return text if text.isprintable() else ascii(text)[1:-1]


def _refusal(path: Path, finished: subprocess.CompletedProcess[bytes]) -> InputError:
    try:
        said = json.loads(finished.stderr.splitlines()[-1])
        message, hint = printable(said["message"]), printable(said["hint"])
    except (IndexError, KeyError, TypeError, ValueError):
        message = (
            f"The process that read it ended with status {finished.returncode}; it may use "
            f"{MAX_MEMORY_BYTES >> 30} GiB and {MAX_CPU_S} s."
        )
        hint = "The file is damaged or meant to do harm. Fetch it again from its maker."
    return InputError(f"{path.name} cannot be imported. {message}", hint=hint)
