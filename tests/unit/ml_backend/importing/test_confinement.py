"""The process that reads a file can do nothing else: each forbidden thing is really tried."""

import subprocess
import sys

import h5py

from ml_backend.importing.conversion import CHILD, ENVIRONMENT

ATTEMPTS = (
    "os.system('touch ' + path)",
    "subprocess.run(['touch', path])",
    "os.posix_spawn('/bin/touch', ['touch', path], {})",
    "os.execv('/bin/touch', ['touch', path])",
    "os.fork()",
    "open(path, 'w')",
    "open('/etc/hostname')",
    "os.remove(path)",
    "socket.socket()",
    "__import__('wave')",
    "eval('1 + 1')",
    "ctypes.CDLL(None)",
    "h5py.File(path)",
    "bytearray(1 << 34)",
)

TRY = """
import ctypes, os, socket, subprocess, sys
import h5py
from ml_backend.importing.confinement import confine
path = sys.argv[1]
{functions}
attempts = [value for name, value in sorted(globals().items()) if name.startswith("attempt_")]
confine()
for attempt in attempts:
    try:
        attempt()
        print("done")
    except (OSError, MemoryError) as error:
        print(type(error).__name__)
sys.stdout.flush()
os._exit(0)
"""


def test_nothing_but_computing_is_possible(tmp_path):
    path = tmp_path / "there.h5"
    h5py.File(path, "w").close()
    before = path.read_bytes()
    functions = "".join(f"def attempt_{i}(): return {attempt}\n" for i, attempt in enumerate(ATTEMPTS))
    program = TRY.format(functions=functions)
    finished = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    said = finished.stdout.split()
    assert len(said) == len(ATTEMPTS), finished.stdout + finished.stderr
    assert set(said) <= {"PermissionError", "OSError", "MemoryError"}
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_reader_loads_neither_networks_nor_the_record():
    program = "import sys, ml_backend.importing.child; print(*sys.modules)"
    command = [*CHILD[: CHILD.index("-m")], "-c", program]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    loaded = set(finished.stdout.split())
    assert "ml_backend.importing.child" in loaded
    assert not loaded & {"keras", "tensorflow", "torch", "sqlalchemy", "db.models"}
