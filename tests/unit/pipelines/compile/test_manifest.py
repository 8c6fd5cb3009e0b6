from datetime import date

import pytest

from db.domain.case import CaseClass, View
from db.domain.errors import InputError
from pipelines.compile.manifest import Batch, ManifestEntry, Refusal, read_manifest


@pytest.fixture
def batch(tmp_path):
    """Make a batch: `batch(csv, files, **options)`."""

    def make(text, files=("c1.png", "c2.png", "c3.png"), **options):
        folder = tmp_path / "films"
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        (tmp_path / "films.csv").write_text(text)
        return Batch(folder, tmp_path / "films.csv", **options)

    return make


def test_every_field_arrives_in_our_words(batch, tmp_path):
    entries, refused = read_manifest(
        batch(
            "case,patient,class,view,source,licence,sex,age,date\n"
            "c1,4711,infection,AP Supine,hannover,CC BY 3.0,f,61,2020-03-31\n"
        )
    )
    assert refused == []
    assert entries == [
        ManifestEntry(
            "c1",
            "4711",
            CaseClass.INFECTION,
            tmp_path / "films" / "c1.png",
            View.AP_SUPINE,
            "hannover",
            "CC BY 3.0",
            "F",
            61,
            date(2020, 3, 31),
        )
    ]


def test_columns_constants_and_values_map_a_foreign_manifest(batch):
    entries, refused = read_manifest(
        batch(
            "\ufeffid;pid;label\nc1;1;No Finding\nc2;1;Pneumonia\nc3;2;Edema\n",
            columns={"case": "id", "patient": "pid", "class": "label"},
            constants={"source": "nih"},
            values={("class", "Pneumonia"): "infection", ("class", "*"): "other"},
        )
    )
    assert refused == []
    assert [(entry.case_class, entry.source) for entry in entries] == [
        (CaseClass.NORMAL, "nih"),
        (CaseClass.INFECTION, "nih"),
        (CaseClass.OTHER, "nih"),
    ]


def test_a_film_is_found_by_pattern_by_column_or_by_name(batch, tmp_path):
    files = ("nc/images/c1.png", "d/c2.tif", "d/c3.png")
    folder = tmp_path / "films"
    by_pattern, _ = read_manifest(
        batch("case,patient,class,folder\nc1,1,normal,nc\n", files, file_pattern="{folder}/images/{case}.png")
    )
    by_column, _ = read_manifest(batch("case,patient,class,file\nc2,1,normal,d/c3.png\n", files))
    by_name, _ = read_manifest(batch("case,patient,class\nc2,1,normal\nc3.png,1,normal\n", files))
    assert [entry.path for entry in by_pattern] == [folder / "nc/images/c1.png"]
    assert [entry.path for entry in by_column] == [folder / "d/c3.png"]
    assert [entry.path for entry in by_name] == [folder / "d/c2.tif", folder / "d/c3.png"]


def test_a_missing_column_is_named_with_those_present(batch):
    with pytest.raises(InputError) as caught:
        read_manifest(batch("id,patient,class\nc1,1,normal\n"))
    assert "no column 'case' for case; it has id, patient, class" in caught.value.message
    assert "--column case=COLUMN" in caught.value.hint


def test_an_optional_column_that_was_asked_for_must_be_there(batch):
    with pytest.raises(InputError, match="no column 'projection' for view"):
        read_manifest(batch("case,patient,class\nc1,1,normal\n", columns={"view": "projection"}))


def test_a_repeated_case_is_refused_with_its_lines_and_the_others_are_kept(batch):
    entries, refused = read_manifest(batch("case,patient,class\nc1,1,normal\nc2,2,normal\nc1,3,normal\n"))
    assert [entry.case for entry in entries] == ["c2"]
    assert [refusal.item for refusal in refused] == ["c1"]
    assert "lines 2, 4; none of them was taken" in refused[0].message


@pytest.mark.parametrize(
    ("row", "item", "reason"),
    [
        ("c1,1,sick", "c1", "'sick' is not a class; infection, normal, other are."),
        ("c1,,normal", "c1", "names no patient"),
        (",1,normal", "line 3", "no case key"),
        ("../c1,1,normal", "../c1", "cannot be a case key"),
        ("c9,1,normal", "c9", "no film named c9"),
        ("c1,1,normal,surplus", "c1", "more values than columns"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_kept(batch, row, item, reason):
    entries, refused = read_manifest(batch(f"case,patient,class\nc2,4711,normal\n{row}\nc3,4711,normal\n"))
    assert [entry.case for entry in entries] == ["c2", "c3"]
    assert [refusal.item for refusal in refused] == [item]
    assert reason in refused[0].message
    assert "4711" not in refused[0].message


def test_two_files_for_one_case_are_refused(batch):
    _, refused = read_manifest(batch("case,patient,class\nc1,1,normal\n", ("a/c1.png", "b/c1.jpg")))
    assert "could be any of a/c1.png, b/c1.jpg" in refused[0].message


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd"])
def test_films_are_taken_from_the_folder_only(batch, tmp_path, name):
    (tmp_path / "secret.png").touch()
    entries, refused = read_manifest(batch(f"case,patient,class,file\nc1,1,normal,{name}\n"))
    assert entries == []
    assert refused == [Refusal("c1", "The row names a file outside the folder. Films are taken from the folder only.")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"columns": {"veiw": "x"}}, r"no field 'veiw'.*Did you mean view"),
        ({"columns": {"case": "case"}, "constants": {"case": "c"}}, "case has a column and a constant"),
        ({"file_pattern": "{nowhere}.png"}, None),
    ],
)
def test_a_mapping_that_fits_nothing_is_refused(batch, options, reason):
    made = batch("case,patient,class\nc1,1,normal\n", **options)
    if reason is None:
        assert "does not fit the columns case, patient, class" in read_manifest(made)[1][0].message
    else:
        with pytest.raises(InputError, match=reason):
            read_manifest(made)


def test_an_empty_folder_a_missing_manifest_and_one_without_rows(batch):
    with pytest.raises(InputError, match="holds no film"):
        read_manifest(batch("case,patient,class\nc1,1,normal\n", ()))
    made = batch("case,patient,class\n")
    with pytest.raises(InputError, match="has no row"):
        read_manifest(made)
    made.manifest.write_bytes(b"case\xff\n")
    with pytest.raises(InputError, match="not a readable CSV"):
        read_manifest(made)
    made.manifest.unlink()
    with pytest.raises(InputError, match="not a readable CSV"):
        read_manifest(made)


def test_a_sample_depends_on_its_seed_and_not_on_the_order_of_rows(batch):
    files = [f"n{i}.png" for i in range(30)] + ["c1.png"]
    rows = [f"n{i},{i},normal\n" for i in range(30)] + ["c1,x,infection\n"]

    def taken(seed, order):
        options = {"samples": {CaseClass.NORMAL: 10}, "seed": seed}
        entries, _ = read_manifest(batch("case,patient,class\n" + "".join(order), files, **options))
        return {entry.case for entry in entries}

    assert taken(1, rows) == taken(1, rows[::-1])
    assert len(taken(1, rows)) == 11
    assert "c1" in taken(1, rows)
    assert taken(1, rows) != taken(2, rows)
