"""A folder of films to masks, maps and grades; the networks themselves are stood in for."""

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from db.domain.errors import InputError, NotFoundError
from db.models import Checkpoint
from pipelines.cli.predict import command
from pipelines.predicting import Member, find_members, predict_folder

MEMBERS = (Member("unet-tiny", 32, Path("nowhere")),)


@pytest.fixture
def films(tmp_path):
    """Two films, one that is damaged, and a file that is none."""
    folder = tmp_path / "films"
    folder.mkdir()
    ramp = np.linspace(0, 255, 80 * 60).reshape(80, 60).astype(np.uint8)
    Image.fromarray(ramp).save(folder / "a.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"no film")
    (folder / "notes.txt").write_text("to be passed over")
    return folder


def top_half(_members, films):
    """Infection in the upper half of every film but the second."""
    maps = np.zeros(films.shape, np.float32)
    maps[:, :16] = 0.9
    maps[1] = 0.25
    return maps


def test_good_films_are_predicted_and_the_bad_one_is_named(films, tmp_path):
    made = predict_folder(films, tmp_path / "out", MEMBERS, forward=top_half)
    assert list(made.problems) == ["c.png"]
    mask = np.asarray(Image.open(tmp_path / "out/masks/a.png"))
    assert mask.shape == (80, 60)
    assert set(np.unique(mask)) == {0, 255}
    assert (mask[:38] == 255).all()
    assert (mask[42:] == 0).all()
    assert np.asarray(Image.open(tmp_path / "out/maps/b.png")).shape == (80, 60, 3)
    with (tmp_path / "out/grades.csv").open() as file:
        first, second = csv.DictReader(file)
    assert (first["film"], first["detected"], first["grade"]) == ("a.png", "True", "critical")
    assert float(first["infected_share"]) == pytest.approx(0.5, abs=0.02)
    assert (second["detected"], second["grade"], second["max_probability"]) == ("False", "none", "0.25")
    assert "No lung mask" in first["note"]


def test_films_of_one_name_are_not_mixed_up(films, tmp_path):
    Image.open(films / "a.png").save(films / "a.tif")
    made = predict_folder(films, tmp_path / "out", MEMBERS, forward=top_half)
    assert set(made.problems) == {"a.tif", "c.png"}


def test_an_output_folder_that_holds_something_is_left_alone(films):
    with pytest.raises(InputError, match="not an empty folder"):
        predict_folder(films, films, MEMBERS, forward=top_half)


def test_a_failure_leaves_nothing_behind(films, tmp_path):
    with pytest.raises(ValueError, match="zip"):
        predict_folder(films, tmp_path / "out", MEMBERS, forward=lambda members, films: top_half(members, films)[:1])
    assert sorted(one.name for one in tmp_path.iterdir()) == ["films"]


def test_a_folder_without_films_says_what_films_are(films, tmp_path):
    for name in "ab":
        (films / f"{name}.png").unlink()
    with pytest.raises(InputError, match=r"none of which can be read.*\n.*c\.png"):
        predict_folder(films, tmp_path / "out", MEMBERS, forward=top_half)


@pytest.mark.usefixtures("campaign")
def test_an_untrained_campaign_names_the_command(record):
    with pytest.raises(NotFoundError, match="no trained network") as raised:
        find_members(record, "pilot")
    assert "overread stage train pilot/I" in raised.value.hint


@pytest.fixture
def trained(record, campaign):
    campaign.open("I").train("I")
    with record.database.write() as session:
        for checkpoint in session.query(Checkpoint):
            checkpoint.card = {"spec": {"input_size": 32}}


@pytest.mark.usefixtures("trained")
def test_every_fold_of_the_last_training_is_a_member(record):
    members = find_members(record, "pilot")
    assert [(one.network, one.input_size) for one in members] == [("unet-tiny", 32)] * 3
    with pytest.raises(NotFoundError, match="dla-tiny") as raised:
        find_members(record, "pilot", ["dla-tiny"])
    assert "unet-tiny" in raised.value.hint


@pytest.mark.usefixtures("trained")
def test_the_command_ends_with_2_when_a_film_was_left_out(record, films, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.cli.predict.open_record", lambda: record)
    monkeypatch.setattr("pipelines.predicting.mean_maps", top_half)
    arguments = [str(films), "--campaign", "pilot", "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "Left out: c.png" in result.stderr
    assert "2 films predicted, 1 called infected" in result.stdout
