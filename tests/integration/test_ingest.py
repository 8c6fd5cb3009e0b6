"""Films and drawings in, by the commands that people use; bad input; and near-duplicates among real films."""

import csv
import sys

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from db.models import CaseRow, MaskRow
from db.record import Record
from db.settings import Settings
from pipelines.cli import main
from pipelines.compile.duplicates import find_duplicates, fingerprint
from pipelines.compile.films import decode
from pipelines.compile.ingest import ingest
from pipelines.compile.manifest import Batch

SIDE_PX = 64


@pytest.fixture
def overread(tmp_path, monkeypatch, capsys):
    """`overread("ingest", ...)`: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVERREAD_HOME", str(tmp_path / "var"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["overread", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        said = capsys.readouterr()
        return exit_.value.code or 0, said.out, said.err

    return run


@pytest.fixture
def counted(tmp_path):
    """How many films, drawings and files are kept."""

    def count():
        record = Record.open(Settings(home=tmp_path / "var"))
        with record.database.read() as session:
            kept = [session.scalar(select(func.count(row.id))) for row in (CaseRow, MaskRow)]
        record.database.dispose()
        return (*kept, sum(path.is_file() for path in record.store.root.rglob("*")))

    return count


@pytest.fixture
def folder(tmp_path):
    """Three films and their manifest."""
    path = tmp_path / "films"
    path.mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (SIDE_PX, SIDE_PX)).astype(np.uint8)
        Image.fromarray(pixels).save(path / f"c{number}.png")
    (tmp_path / "films.csv").write_text("id,patient,class\nc0,p0,infection\nc1,p1,infection\nc2,p2,normal\n")
    return path


ARGUMENTS = ("--manifest", "films.csv", "--column", "case=id", "--constant", "view=AP Supine")


def test_films_and_drawings_come_in_by_command_and_twice_changes_nothing(overread, folder, tmp_path, counted):
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(np.eye(SIDE_PX, dtype=np.uint8) * 255).save(masks / "c0.png")
    overread("users", "add", "sim1", "--role", "reader", "--simulated")
    overread("campaign", "create", "pilot", "--spec", "smoke")
    for expected in (("3 films were taken in, 0", "1 drawings were taken in, 0"), ("0 films", "0 drawings")):
        status, films_said, _ = overread("ingest", folder, *ARGUMENTS)
        assert (status, films_said.startswith(expected[0])) == (0, True)
        status, masks_said, _ = overread("import-masks", masks, "--campaign", "pilot", "--reader", "sim1")
        assert (status, masks_said.startswith(expected[1])) == (0, True)
        assert counted() == (3, 1, 4)


def test_lung_masks_come_in_from_the_folder_that_the_command_names(overread, folder, tmp_path):
    (tmp_path / "lung masks").mkdir()
    Image.fromarray(np.eye(SIDE_PX, dtype=np.uint8) * 255).save(tmp_path / "lung masks" / "c1.png")
    status, said, _ = overread("ingest", folder, *ARGUMENTS, "--lungs", "lung masks")
    assert (status, said.splitlines()[1].strip()) == (0, "1 came with a lung mask.")
    status, _, errors = overread("ingest", folder, *ARGUMENTS, "--lungs", "lungmasks")
    assert (status, "no folder lungmasks" in errors) == (2, True)


def test_bad_items_are_listed_with_status_2_and_the_good_ones_are_in(overread, folder, tmp_path, counted):
    whole = (folder / "c0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("not a film")
    Image.new("1", (20_000, 20_000)).save(folder / "huge.png")
    rows = "".join(f"{key},4711,infection\n" for key in ("cut", "text", "huge", "c0"))
    with (tmp_path / "films.csv").open("a") as file:
        file.write(rows)
    status, said, errors = overread("ingest", folder, *ARGUMENTS)
    assert status == 2
    assert said.startswith("2 films were taken in")
    lines = dict(line.split(": ", 1) for line in errors.splitlines() if line[0].isalpha())
    assert "is damaged" in lines["cut"]
    assert "is not a PNG, JPEG or TIFF file" in lines["text"]
    assert "is 20000x20000; at most" in lines["huge"]
    assert "stands in lines 2, 8" in lines["c0"]
    assert lines["Error"] == "4 films were refused; all others are in."
    assert "4711" not in said + errors
    assert counted() == (2, 0, 2)


@pytest.mark.parametrize(
    ("manifest", "n_films", "message"),
    [
        ("name,patient,class\nc0,p0,normal\n", 3, "no column 'id' for case; it has name, patient, class"),
        ("id,patient,class\nc0,p0,normal\n", 0, "holds no film"),
    ],
    ids=["missing column", "empty folder"],
)
def test_what_cannot_be_used_at_all_is_said_in_two_lines(
    overread, folder, tmp_path, counted, manifest, n_films, message
):
    (tmp_path / "films.csv").write_text(manifest)
    for path in sorted(folder.iterdir())[n_films:]:
        path.unlink()
    status, _, errors = overread("ingest", folder, *ARGUMENTS)
    assert status == 2
    assert message in errors.splitlines()[0]
    assert len(errors.splitlines()) == 2
    assert counted() == (0, 0, 0)


def test_bad_masks_are_listed_with_status_2_and_the_good_one_is_in(overread, folder, tmp_path, counted):
    masks = tmp_path / "masks"
    masks.mkdir()
    mask = np.eye(SIDE_PX, dtype=np.uint8)
    for key, pixels in {"c0": mask, "c1": mask[:32], "c2": mask + np.flipud(mask) * 2, "c9": mask}.items():
        Image.fromarray(pixels).save(masks / f"{key}.png")
    overread("users", "add", "sim1", "--role", "reader", "--simulated")
    overread("campaign", "create", "pilot", "--spec", "smoke")
    overread("ingest", folder, *ARGUMENTS)
    status, said, errors = overread("import-masks", masks, "--campaign", "pilot", "--reader", "sim1")
    assert status == 2
    assert said.startswith("1 drawings were taken in")
    assert "c1: Mask for case c1 is 64x32, its film is 64x64." in errors
    assert "c2: Mask for case c2 has 3 values" in errors
    assert "c9: There is no case 'c9'" in errors
    assert counted() == (3, 1, 4)


def test_both_databases_join_components_and_refuse_what_changed(database_url, folder, tmp_path):
    record = Record.open(Settings(home=tmp_path / "var", db=database_url))
    Image.open(folder / "c1.png").save(folder / "c9.tif")
    batch = Batch(folder, tmp_path / "films.csv", columns={"case": "id"})
    ingest(record, batch)
    batch.manifest.write_text("id,patient,class\nc0,p0,other\nc9,p0,infection\n")
    report = ingest(record, batch)
    assert report.duplicates == (("c9", "c1"),)
    assert [refusal.item for refusal in report.refused] == ["c0"]
    with record.database.read() as session:
        found = dict(session.execute(select(CaseRow.key, CaseRow.component)).all())
    record.database.dispose()
    assert found == {"c0": "c0", "c1": "c0", "c9": "c0", "c2": "c2"}


@pytest.mark.films
@pytest.mark.slow
def test_all_known_copies_of_real_films_are_found_and_no_other_films_are_merged(films_folder):
    cohen = films_folder / "cxr-cohen"
    with (cohen / "duplicates" / "pairs.csv").open(newline="") as file:
        copies = [(cohen / "duplicates" / row["file"], row["id"]) for row in csv.DictReader(file)]
    originals = [
        *cohen.glob("*/images/*.png"),
        *(films_folder / "cxr-hannover" / "images").glob("*.png"),
        *(films_folder / "cxr-nih14").glob("*/*.png"),
    ]
    films = copies + [(path, path.stem) for path in originals]
    prints = [fingerprint(decode(path)) for path, _ in films]
    names = [name for _, name in films]
    found = {(i, j) for i, j in find_duplicates(prints, prints) if i < j}
    expected = {(i, j) for j in range(len(films)) for i in range(j) if names[i] == names[j]}
    assert len(originals) >= 400
    assert len(expected) >= 36
    assert found == expected
