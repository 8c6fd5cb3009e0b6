import numpy as np
import pytest
from PIL import Image

from pipelines.infection_map import USUAL_FLOOR, render
from pipelines.predicted_films import STRIP_PX, film_groups, prepare_folder, read_film, write_film


@pytest.fixture
def folder(tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    grey = np.random.default_rng(0).integers(0, 65536, (2 * STRIP_PX + 44, 300)).astype(np.uint16)
    Image.fromarray(grey).save(films / "a.png")
    return films


def test_a_film_that_cannot_be_read_gives_way_to_one_of_the_same_name(folder):
    (folder / "a.jpg").write_bytes(b"no film")
    Image.open(folder / "a.png").save(folder / "a.tif")
    (group,) = film_groups(folder)
    film, problems = read_film(group, [32, 64])
    assert film is not None
    assert film.path.name == "a.png"
    assert sorted(problems) == ["a.jpg", "a.tif"]
    assert {side: one.shape for side, one in film.fitted.items()} == {32: (32, 32), 64: (64, 64)}


def test_the_map_is_the_same_as_one_rendered_at_once(folder, tmp_path):
    (group,) = film_groups(folder)
    film, _ = read_film(group, [32])
    assert film is not None
    probability = np.random.default_rng(1).random((32, 32), np.float32)
    prepare_folder(tmp_path)
    row = write_film(film, probability, tmp_path)
    shown = np.asarray(Image.open(tmp_path / "maps/a.png"))
    np.testing.assert_array_equal(shown, render(film.pixels, probability, floor=USUAL_FLOOR))
    assert row.max_probability == pytest.approx(probability.max(), abs=1e-5)


def test_the_state_of_a_group_changes_with_its_files(folder):
    (group,) = film_groups(folder)
    before = group.state()
    assert group.state() == before
    (folder / "a.png").write_bytes(b"another")
    assert group.state() != before
    (folder / "a.png").unlink()
    assert group.state() == [["a.png"]]
    film, problems = read_film(group, [32])
    assert film is None
    assert "cannot be read" in problems["a.png"]


def test_pictures_that_a_killed_process_left_half_written_are_removed(tmp_path):
    prepare_folder(tmp_path)
    (tmp_path / "maps/.a.png.17.unfinished").touch()
    prepare_folder(tmp_path)
    assert list((tmp_path / "maps").iterdir()) == []
