from datetime import date, timedelta

import pytest

from db.domain.case import CaseClass, View
from db.domain.errors import InputError
from pipelines.compile import vocabulary


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("PA", View.PA),
        ("ap", View.AP),
        ("AP Supine", View.AP_SUPINE),
        ("ap_supine", View.AP_SUPINE),
        ("AP-Supine ", View.AP_SUPINE),
        ("L", View.LATERAL),
        ("", View.UNKNOWN),
    ],
)
def test_views_are_understood_as_sources_write_them(text, view):
    assert vocabulary.view(text) is view


def test_an_unknown_word_is_answered_with_those_allowed_and_the_option_that_translates_it():
    with pytest.raises(InputError) as caught:
        vocabulary.view("oblique")
    assert caught.value.message == "'oblique' is not a view; pa, ap, ap_supine, lateral, unknown are."
    assert "--value 'view:oblique=pa'" in caught.value.hint
    with pytest.raises(InputError, match="infection, normal, other"):
        vocabulary.case_class("")


def test_classes_and_sexes():
    assert [vocabulary.case_class(text) for text in ("Infection", "COVID-19", "No Finding", "other")] == [
        CaseClass.INFECTION,
        CaseClass.INFECTION,
        CaseClass.NORMAL,
        CaseClass.OTHER,
    ]
    assert [vocabulary.sex(text) for text in ("F", "male", "o", "")] == ["F", "M", "O", None]


def test_ages_and_dates():
    assert [vocabulary.age_years(text) for text in ("61", "0.5", "061Y", "")] == [61, 0.5, 61, None]
    assert vocabulary.taken_on("2020-03-31") == vocabulary.taken_on("20200331") == date(2020, 3, 31)
    assert vocabulary.taken_on("") is None


@pytest.mark.parametrize("text", ["-3", "121", "old", "1e2"])
def test_what_is_no_age_is_refused_without_repeating_it(text):
    with pytest.raises(InputError, match="age") as caught:
        vocabulary.age_years(text)
    assert text not in caught.value.message


@pytest.mark.parametrize("text", ["31.03.2020", "1890-01-01", str(date.today() + timedelta(2))])  # noqa: DTZ011
def test_what_is_no_date_of_a_film_is_refused_without_repeating_it(text):
    with pytest.raises(InputError, match="date") as caught:
        vocabulary.taken_on(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize("key", ["", "../c1", "a/b", ".hidden", "-rf", "c\n1", "c" * 121, "a\\b"])
def test_a_case_key_cannot_name_a_path(key):
    with pytest.raises(InputError, match="case key"):
        vocabulary.case_key(key)


@pytest.mark.parametrize("key", ["c001", "00000129_000.png", "Fall 3 a", "ä-1"])
def test_ordinary_case_keys_are_kept_as_they_are(key):
    assert vocabulary.case_key(key) == key
