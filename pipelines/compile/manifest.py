"""Which films a manifest names, where they lie, and what it says of each."""

import csv
import difflib
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from db.domain.case import CaseClass, View
from db.domain.errors import InputError
from pipelines.compile import vocabulary
from pipelines.compile.films import FILM_SUFFIXES

REQUIRED = ("case", "patient", "class")
OPTIONAL = ("view", "source", "licence", "sex", "age", "date")
FIELDS = REQUIRED + OPTIONAL
FILE_COLUMN = "file"
LUNGS = "lungs"
"""The folder beside the films whose lung masks bear the films' names."""

ANY_OTHER = "*"
SURPLUS = "more values than columns"

Row = Mapping[str, str]


@dataclass(frozen=True)
class ManifestEntry:
    """One film as its manifest describes it; `patient`, `age_years` and `taken_on` are still as they came."""

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
    lungs: Path | None = None


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
    file_pattern: path of a film below the folder, columns in braces; without it the column `file`, else the file
    named like the case. samples: class -> how many of its films are taken, drawn with `seed`. Source: P2 states no
    rule for the films it left out, so ours is this one. lungs: the folder of lung masks; without it the folder
    `LUNGS` below the films, if there is one. A mask lies where its film does in `folder`, as PNG.
    """

    folder: Path
    manifest: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[tuple[str, str], str] = field(default_factory=dict)
    file_pattern: str | None = None
    samples: Mapping[CaseClass, int] = field(default_factory=dict)
    seed: int = 1
    lungs: Path | None = None

    @property
    def lungs_folder(self) -> Path:
        """Where lung masks are looked for; no film is."""
        return self.lungs or self.folder / LUNGS


def read_manifest(batch: Batch) -> tuple[list[ManifestEntry], list[Refusal]]:
    """The films of a manifest, and those of its rows that cannot be used.

    Raises
    ------
    InputError
        If nothing can be read at all: no manifest, an empty folder, a missing column, an unknown field.
    """
    if batch.lungs and not batch.lungs.is_dir():
        msg = f"There is no folder {batch.lungs} with lung masks."
        raise InputError(msg, hint=f"Name the folder that they lie in, or leave `--lungs` out to look in {LUNGS!r}.")
    files = film_files(batch.folder, without=batch.lungs_folder)
    rows, present = _rows(batch.manifest)
    _check_fields(batch, present)
    column_pattern = f"{{{FILE_COLUMN}}}" if FILE_COLUMN in present else None
    finder = FilmFinder(batch.folder, files, batch.file_pattern or column_pattern)
    lines: dict[str, list[int]] = defaultdict(list)
    for number, row in rows.items():
        lines[_text(row, "case", batch) or f"line {number}"].append(number)
    entries, refused = [], []
    for item, numbers in lines.items():
        try:
            _refuse_repeated(item, numbers)
            entries.append(_entry(rows[numbers[0]], batch, finder))
        except InputError as error:
            refused.append(Refusal(item, str(error)))
    return _sampled(entries, batch), refused


def film_files(folder: Path, *, without: Path | None = None) -> list[Path]:
    """All film files below a folder, sorted; those below the folder `without` are none.

    Raises
    ------
    InputError
        If there is none.
    """
    found = (path for path in folder.rglob("*") if path.suffix.lower() in FILM_SUFFIXES)
    files = sorted(path for path in found if without is None or not path.is_relative_to(without))
    if not files:
        msg = f"Folder {folder} holds no film; {', '.join(sorted(FILM_SUFFIXES))} are looked for."
        raise InputError(msg, hint="Name the folder that the films lie in.")
    return files


class FilmFinder:
    """Where the file of a row lies: by a pattern, or else by the case's name."""

    def __init__(self, folder: Path, files: Sequence[Path], pattern: str | None) -> None:
        self.folder = folder
        self.pattern = pattern
        self.by_name: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            for name in {path.stem, path.name}:
                self.by_name[name].append(path)

    def find(self, case: str, row: Row) -> Path:
        """The file of `case`.

        Raises
        ------
        InputError
            If there is none, or more than one, or it lies outside the folder.
        """
        found = [self._named(row)] if self.pattern else self.by_name.get(case, [])
        if len(found) > 1:
            names = ", ".join(str(path.relative_to(self.folder)) for path in found)
            msg = f"Case {case} could be any of {names}."
            raise InputError(msg, hint="Say which with `--file-pattern`.")
        if not found or not found[0].is_file():
            wanted = found[0].relative_to(self.folder) if found else f"film named {case}"
            msg = f"There is no {wanted} in {self.folder}."
            raise InputError(msg, hint="Check the folder and `--file-pattern`.")
        return found[0]

    def _named(self, row: Row) -> Path:
        try:
            name = Path(str(self.pattern).format_map(row))
        except (KeyError, ValueError, IndexError, AttributeError):
            msg = f"The file pattern {self.pattern!r} does not fit the columns {', '.join(row)}."
            raise InputError(msg, hint="For example `--file-pattern '{folder}/images/{id}.png'`.") from None
        if name.is_absolute() or ".." in name.parts:
            msg = "The row names a file outside the folder."
            raise InputError(msg, hint="Films are taken from the folder only.")
        return self.folder / name


def _rows(path: Path) -> tuple[dict[int, Row], list[str]]:
    """The rows by the line that they end on, and the names of the columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, restkey=SURPLUS, restval="", delimiter=max(",;\t", key=header.count))
            rows = dict(_numbered(reader))
            present = [name for name in reader.fieldnames or () if name]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path} is not a readable CSV file: {error}."
        raise InputError(msg, hint="Save the manifest as CSV in UTF-8.") from None
    if not rows:
        msg = f"{path} has no row."
        raise InputError(msg, hint="A manifest has a line of column names and one line a film.")
    return rows, present


def _numbered(reader: "csv.DictReader[str]") -> Iterator[tuple[int, Row]]:
    for row in reader:
        yield reader.line_num, {name: str(text).strip() for name, text in row.items() if name}


def _check_fields(batch: Batch, present: Sequence[str]) -> None:
    for name in [*batch.columns, *batch.constants, *(name for name, _ in batch.values)]:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, 1)
            msg = f"There is no field {name!r}; the fields are {', '.join(FIELDS)}."
            raise InputError(msg, hint=f"Did you mean {near[0]}?" if near else "")
    if both := sorted(batch.columns.keys() & batch.constants.keys()):
        msg = f"{both[0]} has a column and a constant."
        raise InputError(msg, hint="Give one of them.")
    for name in FIELDS:
        column = batch.columns.get(name, name)
        is_needed = name in REQUIRED or name in batch.columns
        if is_needed and name not in batch.constants and column not in present:
            msg = f"{batch.manifest} has no column {column!r} for {name}; it has {', '.join(present)}."
            raise InputError(msg, hint=f"Name it with `--column {name}=COLUMN`, or give `--constant {name}=VALUE`.")


def _refuse_repeated(case: str, numbers: Sequence[int]) -> None:
    if len(numbers) > 1:
        msg = f"Case {case} stands in lines {', '.join(map(str, numbers))}; none of them was taken."
        raise InputError(msg, hint="Give each film a case of its own.")


def _entry(row: Row, batch: Batch, finder: FilmFinder) -> ManifestEntry:
    if SURPLUS in row:
        msg = f"The line has {SURPLUS}."
        raise InputError(msg, hint="Put values that hold the separator in quotes.")
    text = {name: _text(row, name, batch) for name in FIELDS}
    case = vocabulary.case_key(text["case"])
    path = finder.find(case, row)
    lungs = batch.lungs_folder / path.relative_to(batch.folder).with_suffix(".png")
    return ManifestEntry(
        case=case,
        patient=vocabulary.patient_name(text["patient"]),
        case_class=vocabulary.case_class(text["class"]),
        path=path,
        view=vocabulary.view(text["view"]),
        source=text["source"],
        licence=text["licence"],
        sex=vocabulary.sex(text["sex"]),
        age_years=vocabulary.age_years(text["age"]),
        taken_on=vocabulary.taken_on(text["date"]),
        lungs=lungs if lungs.is_file() else None,
    )


def _text(row: Row, name: str, batch: Batch) -> str:
    found = batch.constants.get(name, row.get(batch.columns.get(name, name), ""))
    if (name, found) in batch.values:
        return batch.values[name, found]
    return found if vocabulary.is_word(name, found) else batch.values.get((name, ANY_OTHER), found)


def _sampled(entries: Sequence[ManifestEntry], batch: Batch) -> list[ManifestEntry]:
    """The entries less those that the samples leave out: the choice depends on seed and key only, not on the order."""
    left_out: set[str] = set()
    for case_class, n_films in batch.samples.items():
        keys = [entry.case for entry in entries if entry.case_class is case_class]
        keys.sort(key=lambda key: hashlib.sha256(f"{batch.seed} {key}".encode()).digest())
        left_out.update(keys[n_films:])
    return [entry for entry in entries if entry.case not in left_out]
