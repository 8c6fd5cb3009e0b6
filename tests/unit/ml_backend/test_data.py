from pathlib import Path

import numpy as np
import pytest

from db.domain.errors import InputError, StateError
from ml_backend.data import PackedSet, fit_film, fit_mask, load_maps, save_maps


def test_a_film_shrinks_to_the_mean_of_its_pixels() -> None:
    film = np.array([[0, 100, 10, 10], [100, 0, 10, 30]], np.uint8)
    np.testing.assert_array_equal(fit_film(np.repeat(film, 2, axis=0), 2), [[50, 10], [50, 20]])


def test_sixteen_bits_become_eight() -> None:
    film = np.array([[0, 65_535], [32_896, 257]], np.uint16)
    np.testing.assert_array_equal(fit_film(film, 2), [[0, 255], [128, 1]])


def test_a_mask_pixel_needs_half_of_its_area() -> None:
    mask = np.zeros((4, 4), np.bool_)
    mask[0, :3] = mask[1, 0] = True
    np.testing.assert_array_equal(fit_mask(mask, 2), [[True, False], [False, False]])
    mask[1, 2] = True
    np.testing.assert_array_equal(fit_mask(mask, 2), [[True, True], [False, False]])


def test_a_packed_set_comes_back_as_it_was(packed: PackedSet, tmp_path: Path) -> None:
    packed.save(tmp_path / "data.npz")
    loaded = PackedSet.load(tmp_path / "data.npz")
    assert loaded.keys == packed.keys
    np.testing.assert_array_equal(loaded.films, packed.films)
    np.testing.assert_array_equal(loaded.masks, packed.masks)
    assert loaded.masks.dtype == np.bool_
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


def test_the_digest_depends_on_the_named_cases_alone(packed: PackedSet) -> None:
    masks = packed.masks.copy()
    masks[0, 0, 0] = not masks[0, 0, 0]
    other = PackedSet(packed.keys, packed.films, masks)
    assert packed.digest(["c01", "c02"]) == other.digest(["c02", "c01"])
    assert packed.digest(["c00"]) != other.digest(["c00"])
    assert packed.digest(["c00"], with_masks=False) == other.digest(["c00"], with_masks=False)
    assert packed.digest(["c01"], with_masks=False) != other.digest(["c02"], with_masks=False)


def test_an_unknown_case_is_named(packed: PackedSet) -> None:
    with pytest.raises(InputError, match="nobody"):
        packed.rows(["c01", "nobody"])


def test_films_and_masks_of_different_shapes_are_refused(packed: PackedSet) -> None:
    with pytest.raises(InputError, match=r"12 cases.*\(12, 32, 32\)"):
        PackedSet(packed.keys, packed.films, packed.masks[:, :16])


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"data\.npz"):
        PackedSet.load(path)


def test_stored_maps_keep_their_keys_values_and_threshold(tmp_path: Path) -> None:
    below = np.nextafter(np.float32(0.5), np.float32(0.0))
    maps = np.array([[[0.0, 1.0], [0.5, below]], [[0.25, 0.1], [0.2, 0.3]]], np.float32)
    save_maps(tmp_path / "maps.npz", ["b", "a"], maps)
    loaded = load_maps(tmp_path / "maps.npz")
    assert list(loaded) == ["b", "a"]
    np.testing.assert_allclose(loaded["a"], maps[1], atol=1e-5)
    assert loaded["b"].dtype == np.float32
    assert (loaded["b"] >= 0.5).tolist() == [[False, True], [True, False]]


def test_maps_that_are_no_numbers_are_refused_rather_than_stored_as_healthy(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no numbers"):
        save_maps(tmp_path / "maps.npz", ["a"], np.full((1, 4, 4), np.nan, np.float32))
    assert not list(tmp_path.iterdir())
