"""The store."""

import os

import numpy as np
import pytest

from db.artifacts import Store, write_atomically
from db.domain.errors import InvariantError, NotFoundError

RNG = np.random.default_rng(5)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_films_come_back_with_their_depth(store, dtype):
    film = RNG.integers(0, np.iinfo(dtype).max, (7, 13)).astype(dtype)
    back = store.get_film(store.put_film(film))
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, film)


def test_masks_come_back_bit_for_bit(store):
    mask = RNG.random((9, 17)) > 0.5
    back = store.get_mask(store.put_mask(mask))
    assert back.dtype == bool
    np.testing.assert_array_equal(back.view(np.uint8), mask.view(np.uint8))


def test_maps_come_back_within_half_a_level(store):
    probability = RNG.random((9, 17)).astype(np.float32)
    np.testing.assert_allclose(store.get_map(store.put_map(probability)), probability, atol=0.51 / 65535)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan])
def test_a_map_outside_0_to_1_is_a_broken_invariant(store, value):
    with pytest.raises(InvariantError):
        store.put_map(np.full((2, 2), value, np.float32))


def test_the_same_bytes_are_one_file_that_is_not_written_again(store):
    path = store.path(store.put(b"film"))
    os.utime(path, (1, 1))
    assert store.put(b"film") == path.name
    assert path.stat().st_mtime == 1


def test_a_missing_file_is_not_found(store):
    with pytest.raises(NotFoundError, match="no file aaaaaaaaaaaa"):
        store.get("a" * 64)


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    write_atomically(tmp_path / "kept", b"old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "kept", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").read_bytes() == b"old"
