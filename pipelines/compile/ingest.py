"""Films in: decode, de-identify, store, and join what belongs to one component. Doing it again changes nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from db.domain.errors import OverreadError
from db.domain.folds import components
from db.models import CaseRow
from db.record import Record
from pipelines.compile.deidentify import append_relink, coarse_age, pseudonym, shifted
from pipelines.compile.duplicates import find_duplicates, fingerprint
from pipelines.compile.films import decode
from pipelines.compile.manifest import Batch, ManifestEntry, Refusal, read_manifest

FIXED = ("patient", "case_class", "view", "source", "licence", "sex", "age_years", "taken_on", "film_digest")
"""What must agree when a case comes in again."""

Watch = Callable[[Iterator["_Taken | Refusal"], int], Iterable["_Taken | Refusal"]]


@dataclass(frozen=True)
class IngestReport:
    """What came of a batch: `duplicates` are pairs of cases that show one film and share a component."""

    n_new: int
    n_known: int
    duplicates: tuple[tuple[str, str], ...]
    refused: tuple[Refusal, ...]


@dataclass(frozen=True)
class _Taken:
    """A film in the store, with its row's values."""

    entry: ManifestEntry
    values: Mapping[str, Any]


def ingest(
    record: Record,
    batch: Batch,
    *,
    simulated: bool = False,
    relink: Path | None = None,
    watch: Watch = lambda films, _: films,
) -> IngestReport:
    """Take in the films of a batch.

    Bad items are refused one by one and reported; the good ones are kept. Files are in the store before any row names
    them, and all rows appear in one transaction.

    Raises
    ------
    InputError
        If the manifest or the folder cannot be used at all.
    """
    entries, refused = read_manifest(batch)
    taken: list[_Taken] = []
    with ThreadPoolExecutor() as pool:
        films = pool.map(lambda entry: _take(record, entry, simulated=simulated), entries)
        for film in watch(films, len(entries)):
            if isinstance(film, Refusal):
                refused.append(film)
            else:
                taken.append(film)
    if relink is not None:
        append_relink(relink, [(film.values["patient"], film.entry.source, film.entry.patient) for film in taken])
    with record.database.write() as session:
        report = _write(session, taken)
    return IngestReport(report.n_new, report.n_known, report.duplicates, tuple(refused) + report.refused)


def _take(record: Record, entry: ManifestEntry, *, simulated: bool) -> _Taken | Refusal:
    try:
        film = decode(entry.path)
    except OverreadError as error:
        return Refusal(entry.case, str(error))
    height, width = film.shape
    values = _identity(record.settings.pseudonym_key, entry) | {
        "key": entry.case,
        "case_class": entry.case_class,
        "view": entry.view,
        "source": entry.source,
        "licence": entry.licence,
        "sex": entry.sex,
        "width_px": width,
        "height_px": height,
        "film_digest": record.store.put_film(film),
        "fingerprint": fingerprint(film),
        "simulated": simulated,
    }
    return _Taken(entry, values)


def _identity(key: bytes, entry: ManifestEntry) -> dict[str, str | float | date | None]:
    day = entry.taken_on and shifted(key, entry.source, entry.patient, entry.taken_on)
    return {
        "patient": pseudonym(key, entry.source, entry.patient),
        "age_years": coarse_age(entry.age_years),
        "taken_on": day,
    }


def _write(session: Session, taken: Sequence[_Taken]) -> IngestReport:
    known = {row.key: row for row in session.scalars(select(CaseRow).options(undefer(CaseRow.fingerprint)))}
    new, refused, n_known = [], [], 0
    for film in taken:
        row = known.get(film.entry.case)
        if row is None:
            new.append(CaseRow(**film.values, component=film.entry.case))
        elif changed := [name for name in FIXED if getattr(row, name) != film.values[name]]:
            message = (
                f"Case {row.key} is known with another {' and '.join(changed)}. What was ingested does not change."
            )
            refused.append(Refusal(row.key, message))
        else:
            n_known += 1
    duplicates = _join_components(new, list(known.values()))
    session.add_all(new)
    return IngestReport(len(new), n_known, duplicates, tuple(refused))


def _join_components(new: Sequence[CaseRow], known: Sequence[CaseRow]) -> tuple[tuple[str, str], ...]:
    """Name the components anew, with the new films in them; the pairs of near-duplicates that were found."""
    rows = [*new, *known]
    pairs = find_duplicates([row.fingerprint for row in new], [row.fingerprint for row in rows])
    duplicates = tuple((rows[i].key, rows[j].key) for i, j in pairs if i < j)
    first_of_patient: dict[str, str] = {}
    same_patient = [(row.key, first_of_patient.setdefault(row.patient, row.key)) for row in rows]
    as_before = [(row.key, row.component) for row in known]
    found = components([*duplicates, *same_patient, *as_before], [row.key for row in rows])
    for row in rows:
        row.component = found[row.key]
    return duplicates
