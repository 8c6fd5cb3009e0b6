import stat
from datetime import date, timedelta

import pytest

from db.domain.errors import InputError
from pipelines.compile.deidentify import MAX_SHIFT_DAYS, append_relink, coarse_age, pseudonym, shifted

KEY = b"k" * 64
FIRST, SECOND = date(2020, 3, 31), date(2020, 4, 12)


def test_a_pseudonym_depends_on_key_source_and_patient_and_shows_none_of_them():
    names = {
        pseudonym(key, source, patient)
        for key in (KEY, b"other")
        for source in ("hannover", "cohen")
        for patient in ("4711", "4712")
    }
    assert len(names) == 8
    assert pseudonym(KEY, "hannover", "4711") == pseudonym(KEY, "hannover", "4711")
    assert not any("4711" in name for name in names)


def test_source_and_patient_cannot_run_into_each_other():
    assert pseudonym(KEY, "a", "bc") != pseudonym(KEY, "ab", "c")
    assert pseudonym(KEY, "a:1", "b") != pseudonym(KEY, "a", "1:b")


def test_dates_of_a_patient_move_together_and_others_move_otherwise():
    assert shifted(KEY, "s", "p", SECOND) - shifted(KEY, "s", "p", FIRST) == SECOND - FIRST
    shifts = {(FIRST - shifted(KEY, "s", str(patient), FIRST)).days for patient in range(200)}
    assert len(shifts) > 150
    assert timedelta(1).days <= min(shifts) <= max(shifts) <= MAX_SHIFT_DAYS


def test_great_ages_are_kept_coarse():
    assert [coarse_age(age) for age in (None, 61.5, 90, 104)] == [None, 61.5, 90, 90]


def test_the_relink_table_is_its_owners_alone_and_holds_each_row_once(tmp_path):
    path = tmp_path / "relink.csv"
    append_relink(path, [("p1", "s", "4711"), ("p1", "s", "4711")])
    path.chmod(0o644)
    append_relink(path, [("p1", "s", "4711"), ("p2", "s", "a,b")])
    assert path.read_text().splitlines() == ["p1,s,4711", 'p2,s,"a,b"']
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_relink_table_that_cannot_be_written_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be opened"):
        append_relink(tmp_path / "missing" / "relink.csv", ())
