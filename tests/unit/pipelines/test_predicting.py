"""A folder of films to masks, maps and grades; the networks are stood in for by functions of the film."""

import csv
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from db.domain.errors import InputError, NotFoundError, StateError
from db.models import Checkpoint
from ml_backend.engine import Member
from pipelines.cli.predict import command
from pipelines.compile.films import decode
from pipelines.predicting import find_members, open_compiled, predict_folder

ROOT = Path(__file__).parents[3]
N_MANY = 30


@pytest.fixture
def members(tmp_path):
    weights = tmp_path / "weights"
    weights.write_bytes(b"weights")
    return (Member("unet-tiny", 32, weights),)


@pytest.fixture
def films(tmp_path):
    """Two films, one that is damaged, and a file that is none."""
    folder = tmp_path / "films"
    folder.mkdir()
    ramp = np.linspace(0, 255, 80 * 60).reshape(80, 60).astype(np.uint8)
    Image.fromarray(ramp).save(folder / "a.png")
    Image.fromarray(ramp[::-1].astype(np.uint16) * 257).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"no film")
    (folder / "notes.txt").write_text("to be passed over")
    return folder


@pytest.fixture
def many(tmp_path):
    """Films f00.png, f01.png...: `2 * i + 1` is the grey level of all their pixels but one."""
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(N_MANY):
        film = np.full((40 + i, 48), 2 * i + 1, np.uint8)
        film[0, 0] = 0
        Image.fromarray(film).save(folder / f"f{i:02}.png")
    return folder


def top_half(_member):
    """Infection in the upper half of films that are dark there."""

    def forward(films):
        is_dark = films[:, 0].mean(axis=1) < 128
        maps = np.full(films.shape, 0.25, np.float32)
        maps[is_dark] = 0
        maps[is_dark, : films.shape[1] // 2] = 0.9
        return maps

    return forward


def grey(_member):
    """The grey level, as a probability."""
    return lambda films: films.astype(np.float32) / 255


def rows(output):
    with (output / "grades.csv").open() as file:
        return list(csv.DictReader(file))


def test_good_films_are_predicted_and_the_bad_one_is_named(films, members, tmp_path):
    made = predict_folder(films, tmp_path / "out", members, load=top_half)
    assert list(made.problems) == ["c.png"]
    mask = np.asarray(Image.open(tmp_path / "out/masks/a.png"))
    assert mask.shape == (80, 60)
    assert set(np.unique(mask)) == {0, 255}
    assert (mask[:38] == 255).all()
    assert (mask[42:] == 0).all()
    assert np.asarray(Image.open(tmp_path / "out/maps/b.png")).shape == (80, 60, 3)
    first, second = rows(tmp_path / "out")
    assert (first["film"], first["detected"], first["grade"]) == ("a.png", "True", "critical")
    assert float(first["infected_share"]) == pytest.approx(0.5, abs=0.02)
    assert (second["detected"], second["grade"], second["max_probability"]) == ("False", "none", "0.25")
    assert "No lung mask" in first["note"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["grades.csv", "maps", "masks"]


def test_every_film_of_many_gets_its_own_result(many, members, tmp_path):
    told = []
    made = predict_folder(many, tmp_path / "out", members, load=grey, progress=lambda *counts: told.append(counts))
    assert [film.film for film in made.films] == [f"f{i:02}.png" for i in range(N_MANY)]
    for i, row in enumerate(rows(tmp_path / "out")):
        assert float(row["max_probability"]) == pytest.approx((2 * i + 1) / 255, abs=1e-5)
        assert Image.open(tmp_path / f"out/masks/f{i:02}.png").size == (48, 40 + i)
    assert told[0] == (0, N_MANY)
    assert told[-1] == (N_MANY, N_MANY)
    assert told == sorted(told)


def test_an_ensemble_is_the_mean_of_its_members_whatever_their_input_size(many, members, tmp_path):
    (small,) = members
    large = Member("unet-tiny", 64, small.weights)

    def load(member):
        return (lambda films: np.full(films.shape, 0.5, np.float32)) if member is large else grey(member)

    predict_folder(many, tmp_path / "out", [small, large], load=load)
    for i, row in enumerate(rows(tmp_path / "out")):
        assert float(row["max_probability"]) == pytest.approx(((2 * i + 1) / 255 + 0.5) / 2, abs=1e-5)


def test_each_film_is_read_once(many, members, tmp_path, monkeypatch):
    read = []

    def reading(path):
        read.append(path.stem)
        return decode(path)

    monkeypatch.setattr("pipelines.predicted_films.decode", reading)
    predict_folder(many, tmp_path / "out", [*members, Member("dla-tiny", 64, members[0].weights)], load=grey)
    assert sorted(read) == [f"f{i:02}" for i in range(N_MANY)]


def test_large_films_come_in_short_chunks(many, members, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.mapping.CHUNK_BYTES", 2 * 69 * 48)
    sizes = []

    def load(member):
        def forward(films):
            sizes.append(len(films))
            return grey(member)(films)

        return forward

    predict_folder(many, tmp_path / "out", members, load=load)
    assert sum(sizes) == N_MANY
    assert max(sizes[2:]) <= 3  # the first two are under way before the size of a film is known


def test_films_of_one_name_are_not_mixed_up(films, members, tmp_path):
    Image.open(films / "a.png").save(films / "a.tif")
    made = predict_folder(films, tmp_path / "out", members, load=top_half)
    assert set(made.problems) == {"a.tif", "c.png"}


def test_an_output_folder_that_holds_something_is_left_alone(films, members):
    with pytest.raises(InputError, match="not an empty folder"):
        predict_folder(films, films, members, load=top_half)


def test_a_failure_at_once_leaves_nothing_behind(films, members, tmp_path):
    with pytest.raises(ValueError, match="zip"):
        predict_folder(films, tmp_path / "out", members, load=lambda member: lambda films: grey(member)(films[:1]))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["films", "weights"]


def test_a_folder_without_films_says_what_films_are(films, members, tmp_path):
    for name in "ab":
        (films / f"{name}.png").unlink()
    with pytest.raises(InputError, match=r"none of which can be read.*\n.*c\.png"):
        predict_folder(films, tmp_path / "out", members, load=top_half)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["films", "weights"]


def failing_after(n_calls):
    """Networks that are interrupted from the keyboard once they were called `n_calls` times."""
    calls = []

    def load(member):
        def forward(films):
            calls.append(len(films))
            if len(calls) > n_calls:
                raise KeyboardInterrupt
            return grey(member)(films)

        return forward

    return load


def counting(computed):
    """Networks that note the grey level of each film in `computed`."""

    def load(member):
        def forward(films):
            computed.extend(films[:, 16, 16].tolist())
            return grey(member)(films)

        return forward

    return load


def test_after_an_interruption_only_the_other_films_and_changed_ones_are_computed(many, members, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        predict_folder(many, tmp_path / "out", members, load=failing_after(3))
    assert not (tmp_path / "out").exists()
    Image.open(many / "f29.png").save(many / "f00.png")
    computed: list[int] = []
    made = predict_folder(many, tmp_path / "out", members, load=counting(computed))
    assert made.n_kept == 15  # two chunks were kept, without the film that has changed since
    assert sorted(computed) == sorted([59, *range(2 * 16 + 1, 2 * N_MANY, 2)])
    assert [row["max_probability"] for row in rows(tmp_path / "out")][:2] == [str(round(59 / 255, 5)), "0.01176"]
    assert len(made.films) == N_MANY


def test_unfinished_results_of_other_networks_are_not_mixed_in(many, members, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        predict_folder(many, tmp_path / "out", members, load=failing_after(3))
    retrained = tmp_path / "retrained"
    retrained.write_bytes(b"other weights")
    with pytest.raises(StateError, match="something else: networks"):
        predict_folder(many, tmp_path / "out", [Member("unet-tiny", 32, retrained)], load=grey)


SLOW_PREDICTION = """
import sys, time
from pathlib import Path
from ml_backend.engine import Member
from pipelines.predicting import predict_folder

def load(member):
    def forward(films):
        time.sleep(0.5)
        return films.astype("float32") / 255
    return forward

folder, output, weights = map(Path, sys.argv[1:])
predict_folder(folder, output, [Member("unet-tiny", 32, weights)], load=load)
"""


@pytest.mark.slow
def test_a_killed_prediction_goes_on_and_ends_as_if_it_never_stopped(many, members, tmp_path):
    arguments = [str(many), str(tmp_path / "out"), str(members[0].weights)]
    process = subprocess.Popen([sys.executable, "-c", SLOW_PREDICTION, *arguments], cwd=ROOT)
    journal = tmp_path / ".out.unfinished/kept.jsonl"
    deadline = time.monotonic() + 60
    while not journal.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = journal.read_text().count('"stem"')
    assert 0 < kept < N_MANY
    computed: list[int] = []
    made = predict_folder(many, tmp_path / "out", members, load=counting(computed))
    assert (made.n_kept, len(computed)) == (kept, N_MANY - kept)
    predict_folder(many, tmp_path / "at once", members, load=grey)
    at_once = {
        path.relative_to(tmp_path / "at once"): path.read_bytes() for path in (tmp_path / "at once").rglob("*.*")
    }
    assert len(at_once) == 2 * N_MANY + 1
    assert at_once == {
        path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")
    }


@pytest.mark.slow
@pytest.mark.keras
def test_compiled_networks_give_the_masks_that_keras_gives(films, tmp_path):
    from db.domain.network import NetworkSpec
    from ml_backend import weights
    from ml_backend.inference import KerasNetworks
    from ml_backend.networks import build

    members = [Member(name, 32, tmp_path / name) for name in ("unet-tiny", "dla-tiny")]
    for member in members:
        weights.save_model(build(NetworkSpec.parse(member.network), input_size=32), member.weights)
    told: list[dict[str, object]] = []
    load = open_compiled(members, films, tmp_path / "compiled", told.append)
    assert [(line["network"], line["n_pixels"]) for line in told] == [("unet-tiny", 2048), ("dla-tiny", 2048)]
    predict_folder(films, tmp_path / "by engine", members, load=load)
    predict_folder(films, tmp_path / "by keras", members, load=KerasNetworks().load)
    for one, other in zip(rows(tmp_path / "by engine"), rows(tmp_path / "by keras"), strict=True):
        assert float(one["max_probability"]) == pytest.approx(float(other["max_probability"]), abs=2e-5)
    for name in ("a.png", "b.png"):
        one, other = (Image.open(tmp_path / way / "masks" / name) for way in ("by engine", "by keras"))
        assert np.mean(np.asarray(one) != np.asarray(other)) < 1e-3
    open_compiled(members, films, tmp_path / "compiled", told.append)
    assert len(told) == 2  # nothing is compiled twice


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
def test_the_command_ends_with_2_when_a_film_was_left_out(record, films, members, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.cli.predict.open_record", lambda: record)
    monkeypatch.setattr("pipelines.predicting.find_members", lambda *_: members)
    monkeypatch.setattr("pipelines.predicting.open_compiled", lambda *_: top_half)
    arguments = [str(films), "--campaign", "pilot", "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2, result.output
    assert "Left out: c.png" in result.stderr
    assert "2 films predicted, 1 called infected" in result.stdout


@pytest.mark.usefixtures("trained")
def test_nothing_is_compiled_for_an_output_that_holds_something(record, films, monkeypatch):
    monkeypatch.setattr("pipelines.cli.predict.open_record", lambda: record)
    result = CliRunner().invoke(command, [str(films), "--campaign", "pilot", "--output", str(films)])
    assert isinstance(result.exception, InputError)
    assert "not an empty folder" in str(result.exception)


def test_a_member_looks_at_as_many_views_as_its_recipe_says(films, members, tmp_path):
    asked = []

    def load(_member):
        def forward(films):
            asked.append(films)
            return np.full(films.shape, 0.25 * len(asked), np.float32)

        return forward

    made = predict_folder(films, tmp_path / "out", [replace(members[0], n_views=3)], load=load)
    assert len(asked) == 3
    assert [film.max_probability for film in made.films] == [0.5, 0.5]
