"""What a manifest says of each film, in this project's words."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from db.domain.case import CaseClass, View
from db.domain.errors import InputError
from pipelines.compile.films import READERS

REQUIRED = ("case", "patient", "class")
OPTIONAL = ("view", "source", "licence", "sex", "age", "date")
FIELDS = REQUIRED + OPTIONAL

CLASSES = {
    "infection": CaseClass.INFECTION,
    "covid-19": CaseClass.INFECTION,
    "covid19": CaseClass.INFECTION,
    "normal": CaseClass.NORMAL,
    "no finding": CaseClass.NORMAL,
    "other": CaseClass.OTHER,
}
VIEWS = {
    "": View.UNKNOWN,
    "unknown": View.UNKNOWN,
    "pa": View.PA,
    "ap": View.AP,
    "ap erect": View.AP,
    "ap supine": View.AP_SUPINE,
    "ap_supine": View.AP_SUPINE,
    "lateral": View.LATERAL,
    "l": View.LATERAL,
    "ll": View.LATERAL,
}
SEXES = {"": None, "f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}

VOCABULARY: Mapping[str, Mapping[str, object]] = {"class": CLASSES, "view": VIEWS, "sex": SEXES}

V = TypeVar("V")


@dataclass(frozen=True)
class ManifestEntry:
    """One film as its manifest describes it; `patient` and `taken_on` are still as they came."""

    case: str
    patient: str
    case_class: CaseClass
    path: Path
    view: View = View.UNKNOWN
    source: str = ""
    licence: str = ""
    sex: str | None = None
    age_years: float | None = None
    taken_on: date | None = None


@dataclass(frozen=True)
class Refusal:
    """An item that was not taken, and why."""

    item: str
    message: str


@dataclass(frozen=True)
class Batch:
    """A folder of films, the manifest that describes them, and how it is read.

    columns: field -> column, where they differ in name. constants: field -> the value of every film.
    values: (field, text in the manifest) -> text in this project's words; the text * stands for any unknown one.
    file_pattern: path of a film below the
    folder with columns in braces; without it a column `file`, else the file named like the case.
    """

    folder: Path
    manifest: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    file_pattern: str | None = None


def read_manifest(batch: Batch) -> tuple[list[ManifestEntry], list[Refusal]]:
    """The films of a manifest, and those of its rows that cannot be used.

    Raises
    ------
    InputError
        If nothing can be read at all: no manifest, an empty folder, a missing column, an unknown field.
    """
    files = _film_files(batch.folder)
    rows, present = _rows(batch.manifest)
    _check_fields(batch, present)
    finder = _FileFinder(batch, files, has_column="file" in present)
    counts = Counter(_text(row, "case", batch) for row in rows)
    entries, refused = [], []
    for number, row in enumerate(rows, 2):
        case = _text(row, "case", batch)
        item = case or f"line {number}"
        try:
            if counts[case] > 1:
                msg = f"Case {case} stands in {counts[case]} rows of {batch.manifest.name}."
                raise InputError(msg, hint="Give each film a case of its own.")  # noqa: TRY301 - one way to refuse a row
            entries.append(_entry(row, batch, finder))
        except InputError as error:
            refused.append(Refusal(item, str(error)))
    return entries, refused


class _FileFinder:
    """Where the film of a row lies."""

    def __init__(self, batch: Batch, files: Sequence[Path], *, has_column: bool) -> None:
        self.folder = batch.folder
        self.pattern = batch.file_pattern or ("{file}" if has_column else None)
        self.by_stem: dict[str, list[Path]] = {}
        for path in files:
            self.by_stem.setdefault(path.stem, []).append(path)

    def find(self, case: str, row: Mapping[str, str]) -> Path:
        found = [self.folder / self._filled(row)] if self.pattern else self.by_stem.get(case, [])
        if len(found) > 1:
            names = ", ".join(str(path.relative_to(self.folder)) for path in found)
            msg = f"Case {case} could be any of {names}."
            raise InputError(msg, hint="Say which with `--file-pattern`.")
        if not found or not found[0].is_file():
            wanted = found[0].relative_to(self.folder) if found else f"a film named {case}"
            msg = f"There is no {wanted} in {self.folder.name}."
            raise InputError(msg, hint="Check the folder and `--file-pattern`.")
        if not found[0].resolve().is_relative_to(self.folder.resolve()):
            msg = f"Case {case} names a file outside {self.folder.name}."
            raise InputError(msg, hint="Films are taken from the folder only.")
        return found[0]

    def _filled(self, row: Mapping[str, str]) -> str:
        try:
            return str(self.pattern).format_map(row)
        except (KeyError, ValueError, IndexError):
            msg = f"The file pattern {self.pattern!r} does not fit the columns {', '.join(row)}."
            raise InputError(msg, hint="For example `--file-pattern '{folder}/images/{id}.png'`.") from None


def _film_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in READERS) if folder.is_dir() else []
    if not files:
        msg = f"Folder {folder.name} holds no film; {', '.join(sorted(READERS))} are looked for."
        raise InputError(msg, hint="Name the folder that the films lie in.")
    return files


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            rows = [{key: value.strip() for key, value in row.items() if isinstance(value, str)} for row in reader]
            return rows, list(reader.fieldnames or ())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path.name} is not a readable CSV file: {error}."
        raise InputError(msg, hint="Save the manifest as CSV in UTF-8.") from None


def _check_fields(batch: Batch, present: Sequence[str]) -> None:
    named = [*batch.columns, *batch.constants, *(name for name, _ in batch.values)]
    if unknown := [name for name in named if name not in FIELDS]:
        msg = f"Unknown field {unknown[0]!r}."
        raise InputError(msg, hint=f"Fields are {', '.join(FIELDS)}.")
    for name in FIELDS:
        column = batch.columns.get(name, name)
        wanted = name in REQUIRED or name in batch.columns
        if wanted and name not in batch.constants and column not in present:
            msg = f"The manifest has no column {column!r} for {name}; it has {', '.join(present) or 'no columns'}."
            raise InputError(msg, hint=f"Name it with `--column {name}=COLUMN`, or `--constant {name}=VALUE`.")


def _entry(row: Mapping[str, str], batch: Batch, finder: _FileFinder) -> ManifestEntry:
    text = {name: _text(row, name, batch) for name in FIELDS}
    for name in ("case", "patient"):
        if not text[name]:
            msg = f"A row has no {name}."
            raise InputError(msg, hint="Every film needs one.")
    if "/" in text["case"] or text["case"].startswith("."):
        msg = f"{text['case']!r} cannot be a case: it would name a path."
        raise InputError(msg)
    return ManifestEntry(
        case=text["case"],
        patient=text["patient"],
        case_class=_one_of("class", text["class"], CLASSES),
        path=finder.find(text["case"], row),
        view=_one_of("view", text["view"], VIEWS),
        source=text["source"],
        licence=text["licence"],
        sex=_one_of("sex", text["sex"], SEXES),
        age_years=_age(text["age"]),
        taken_on=_day(text["date"]),
    )


def _text(row: Mapping[str, str], name: str, batch: Batch) -> str:
    found = batch.constants.get(name, row.get(batch.columns.get(name, name), ""))
    if (name, found) in batch.values:
        return batch.values[name, found]
    unknown = name in VOCABULARY and found.lower() not in VOCABULARY[name]
    return batch.values.get((name, "*"), found) if unknown else found


def _one_of(name: str, text: str, known: Mapping[str, V]) -> V:
    if text.lower() not in known:
        allowed = ", ".join(repr(word) for word in known if word)
        msg = f"{text!r} is not a {name}; {allowed} are."
        raise InputError(msg, hint=f"Translate it with `--value '{name}:{text}=...'`.")
    return known[text.lower()]


def _age(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        msg = f"{text!r} is not an age in years."
        raise InputError(msg) from None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        msg = "A date is not of the form YYYY-MM-DD."
        raise InputError(msg) from None
