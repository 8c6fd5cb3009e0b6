"""`overread weights` at the command line."""

import hashlib

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from db.domain.errors import InputError
from db.domain.network import Encoder
from db.models import EncoderWeights
from db.record import Record
from db.repository.weights import newest_weights
from db.settings import Settings
from pipelines.checking import check_installation
from pipelines.cli import weights

RANDOM = list(Encoder)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("OVERREAD_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(weights.command, arguments, catch_exceptions=False)


@pytest.fixture
def record(tmp_path):
    record = Record.open(Settings(home=tmp_path / "home"))
    yield record
    record.database.dispose()


def kept(record):
    with record.database.read() as session:
        rows = session.scalars(select(EncoderWeights)).all()
        return rows, [path for path in record.store.root.rglob("*") if path.is_file()]


def test_without_weights_every_encoder_starts_from_random_values(run):
    assert [line.split() for line in run("list").output.splitlines()] == [[name, "random"] for name in RANDOM]


@pytest.mark.keras
@pytest.mark.slow
def test_weights_are_imported_listed_and_replaced(run, record, tmp_path):
    from ml_backend.networks import build_encoder
    from ml_backend.weights import load_arrays, read

    encoder = build_encoder(Encoder.RESNET50, input_size=32)
    rng = np.random.default_rng(0)
    arrays = {path: rng.random(array.shape, np.float32) for path, array in read(encoder.weights).items()}
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[f"{name.rpartition('/')[0]}/{name}:0"] = array
        file["fc1/fc1/bias:0"] = np.ones(7)
    said = run("import", str(path)).output
    assert f"All {len(arrays)} arrays of the encoder match by name and shape." in said
    assert "Not used: fc1/fc1/bias:0 [7]" in said
    (row,), (stored,) = kept(record)
    assert f"now: {row.digest[:12]}." in said
    assert hashlib.sha256(stored.read_bytes()).hexdigest() == row.digest
    found, _ = load_arrays(stored)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)

    stored.unlink()
    assert "started from them before" in run("import", str(path)).output
    (again,), (restored,) = kept(record)
    assert (again.id, restored) == (row.id, stored)

    run("import", str(path), "--corpus", "Ours", "--sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    with record.database.read() as session:
        newest = newest_weights(session, "resnet50")
    assert newest is not None
    assert (newest.corpus, newest.card["checksum"]) == ("Ours", "given")
    listed = [line.split(maxsplit=3) for line in run("list").output.splitlines() if line.startswith("resnet50")]
    assert [(line[1], line[3]) for line in listed] == [
        (newest.digest[:12], "checksum given      Ours"),
        (row.digest[:12], "checksum unknown    ImageNet-1k (ILSVRC 2012)  (replaced)"),
    ]
    stored.write_bytes(b"rot")
    assert "1 files are damaged" in {one.what: one.trouble for one in check_installation(record)}["files of the store"]


@pytest.mark.keras
@pytest.mark.parametrize("data", [b"", b"text", b"\x89HDF\r\n\x1a\n", b"\x80\x02cposix\nsystem\n."])
def test_a_bad_file_leaves_nothing_behind(data, run, record, tmp_path):
    (tmp_path / "a.h5").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.h5 cannot be imported"):
        run("import", str(tmp_path / "a.h5"))
    assert kept(record) == ([], [])
