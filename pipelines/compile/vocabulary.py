"""The words of manifests, in this project's words. Messages name what is allowed, and never a date or a patient."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import TypeVar

from db.domain.case import CaseClass, View
from db.domain.errors import InputError

V = TypeVar("V")

# Keys are in lower case, with blanks or underscores between words; `_spellings` brings a text into that form.

CLASSES: Mapping[str, CaseClass] = {
    **{str(member): member for member in CaseClass},
    "covid 19": CaseClass.INFECTION,
    "covid19": CaseClass.INFECTION,
    "no finding": CaseClass.NORMAL,
}
VIEWS: Mapping[str, View] = {
    "": View.UNKNOWN,
    **{str(member): member for member in View},
    "ap erect": View.AP,
    "ap upright": View.AP,
    "ap portable": View.AP,
    "portable ap": View.AP,
    "supine ap": View.AP_SUPINE,
    "lat": View.LATERAL,
    "l": View.LATERAL,
    "ll": View.LATERAL,
    "rl": View.LATERAL,
}
SEXES: Mapping[str, str | None] = {
    "": None,
    "unknown": None,
    "f": "F",
    "female": "F",
    "m": "M",
    "male": "M",
    "o": "O",
    "other": "O",
}

VOCABULARIES: Mapping[str, Mapping[str, object]] = {"class": CLASSES, "view": VIEWS, "sex": SEXES}

OLDEST_AGE_YEARS = 120
FIRST_FILM = date(1895, 11, 8)
"""The day of Röntgen's discovery."""

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*[Yy]?")
_CASE = re.compile(r"\w[\w .+=@-]{0,119}")


def is_word(field: str, text: str) -> bool:
    """Whether a field's text needs no translation; fields without a vocabulary never do."""
    return field not in VOCABULARIES or bool(_spellings(text) & VOCABULARIES[field].keys())


def case_key(text: str) -> str:
    """A case key that can also stand in a path.

    Raises
    ------
    InputError
        If it is empty, too long, or holds anything but letters, digits, spaces and . _ + = @ -.
    """
    if not _CASE.fullmatch(text):
        msg = f"{text[:40]!r} cannot be a case key." if text else "The row has no case key."
        raise InputError(msg, hint="Up to 120 letters, digits, spaces and . _ + = @ - are allowed.")
    return text


def patient_name(text: str) -> str:
    """The patient as the source names them; never empty."""
    if not text:
        msg = "The row names no patient."
        raise InputError(msg, hint="Films of one patient must stay together: give every row one.")
    return text


def case_class(text: str) -> CaseClass:
    """What the film is in the study."""
    return _one_of("class", text, CLASSES, list(CaseClass))


def view(text: str) -> View:
    """How the film was taken: "PA", "AP Supine", "ap_supine"; empty is unknown."""
    return _one_of("view", text, VIEWS, list(View))


def sex(text: str) -> str | None:
    """F, M, O, or None where nothing is said."""
    return _one_of("sex", text, SEXES, ["F", "M", "O"])


def age_years(text: str) -> float | None:
    """An age in years, "61" or "061Y"; None where nothing is said."""
    return _parsed(text, _age, what="age", allowed=f"A number of years, 0 to {OLDEST_AGE_YEARS}, is.")


def taken_on(text: str) -> date | None:
    """The day of the film, "2020-03-31" or "20200331"; None where nothing is said."""
    return _parsed(text, _day, what="date", allowed=f"YYYY-MM-DD from {FIRST_FILM} to today is.")


def _age(text: str) -> float | None:
    match = _AGE.fullmatch(text)
    age = float(match[1]) if match else None
    return age if age is not None and age <= OLDEST_AGE_YEARS else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_FILM <= day <= datetime.now(UTC).date() else None


def _parsed(text: str, parse: Callable[[str], V | None], *, what: str, allowed: str) -> V | None:
    if text and parse(text) is None:
        msg = f"What the row gives as {what} is not one."
        raise InputError(msg, hint=allowed)
    return parse(text) if text else None


def _one_of(field: str, text: str, words: Mapping[str, V], allowed: list[str]) -> V:
    for spelling in _spellings(text) & words.keys():
        return words[spelling]
    msg = f"{text!r} is not a {field}; {', '.join(allowed)} are."
    raise InputError(msg, hint=f"Translate it with `--value '{field}:{text}={allowed[0]}'`.")


def _spellings(text: str) -> set[str]:
    """The text in lower case, with its gaps as blanks and as underscores."""
    words = re.split(r"[\s_-]+", text.strip().lower())
    return {" ".join(words), "_".join(words)}
