"""Films in: decode, de-identify, store, and join what belongs to one component. Doing it again changes nothing."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from db.domain.campaign import StageState
from db.domain.errors import InputError
from db.domain.mask import Mask
from db.models import CampaignCase, CaseRow, Stage
from db.record import Record
from db.repository.withdrawals import patient_digest, withdrawn_patients
from pipelines.compile.deidentify import append_relink, coarse_age, pseudonym, shifted
from pipelines.compile.duplicates import fingerprint
from pipelines.compile.films import decode
from pipelines.compile.grouping import Fingerprints, join_components
from pipelines.compile.manifest import Batch, ManifestEntry, Refusal, read_manifest
from pipelines.compile.masks import MaskFile, read_mask

CHUNK_FILMS = 256
"""Films whose rows appear in one transaction: few enough to follow, many enough to compare at once."""

FIXED = {
    "patient": "patient",
    "case_class": "class",
    "view": "view",
    "source": "source",
    "licence": "licence",
    "sex": "sex",
    "age_years": "age",
    "taken_on": "date",
    "simulated": "origin, simulated or real",
}
"""What must agree when a case comes in again, beside its pixels: column -> word of the manifest."""


@dataclass(frozen=True)
class IngestReport:
    """What came of a batch: `duplicates` are pairs of cases that show one film and share a component.

    `n_lungs` of its films came with a lung mask.
    """

    n_new: int
    n_known: int
    n_lungs: int
    duplicates: tuple[tuple[str, str], ...]
    refused: tuple[Refusal, ...]


@dataclass(frozen=True)
class Taken:
    """A film that is in the store. `row` is its case, not in the database yet unless `is_known`.

    `late_lungs` is the digest of a lung mask that a known case did not have.
    """

    entry: ManifestEntry
    row: CaseRow
    is_known: bool
    late_lungs: str | None = None


Watch = Callable[[Iterator[Taken | Refusal], int], Iterable[Taken | Refusal]]
"""Passes films on as they come, and shows how many of the total have come."""


def ingest(
    record: Record,
    batch: Batch,
    *,
    simulated: bool = False,
    relink: Path | None = None,
    watch: Watch = lambda films, _: films,
) -> IngestReport:
    """Take in the films of a batch.

    Bad items are refused one by one and reported; the good ones are kept. Films are in the store before any row names
    them, and rows appear in transactions of `CHUNK_FILMS`. What was cut short is finished by running it again.

    Raises
    ------
    InputError
        If the manifest or the folder cannot be used at all.
    """
    entries, refused = read_manifest(batch)
    if relink is not None:
        append_relink(relink, ())  # a table that cannot be written is better known before the work than after
    intake = _Intake(record, simulated=simulated)
    fingerprints = Fingerprints()
    taken: list[Taken] = []
    duplicates: list[tuple[str, str]] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        films = iter(watch(pool.map(intake.take, entries), len(entries)))
        while chunk := list(islice(films, CHUNK_FILMS)):
            refused += [film for film in chunk if isinstance(film, Refusal)]
            good = [film for film in chunk if isinstance(film, Taken)]
            with record.database.write() as session:
                good, late = _not_overtaken(session, good)
                rows = [film.row for film in good if not film.is_known]
                duplicates += join_components(session, rows, fingerprints)
                session.add_all(rows)
                _add_late_lungs(session, good)
            taken += good
            refused += late
    if relink is not None:
        append_relink(relink, [(film.row.patient, film.entry.source, film.entry.patient) for film in taken])
    n_known = sum(film.is_known for film in taken)
    n_lungs = sum(film.entry.lungs is not None for film in taken)
    return IngestReport(len(taken) - n_known, n_known, n_lungs, tuple(duplicates), tuple(refused))


class _Intake:
    """Turns entries into stored films, in threads, against what the record holds at the start."""

    def __init__(self, record: Record, *, simulated: bool) -> None:
        self.store = record.store
        self.key = record.settings.pseudonym_key
        self.simulated = simulated
        with record.database.read() as session:
            self.known: Mapping[str, CaseRow] = {row.key: row for row in session.scalars(select(CaseRow))}
            self.withdrawn = withdrawn_patients(session)
            is_open = select(CaseRow.key).join(CampaignCase).join(Stage).where(Stage.state == StageState.OPEN)
            self.in_open_stage = frozenset(session.scalars(is_open))

    def take(self, entry: ManifestEntry) -> Taken | Refusal:
        """The film of an entry, in the store, or why it is refused."""
        try:
            self._refuse_withdrawn(entry)
            known = self.known.get(entry.case)
            return self._add(entry) if known is None else self._compare(entry, known)
        except InputError as error:
            return Refusal(entry.case, str(error))

    def _refuse_withdrawn(self, entry: ManifestEntry) -> None:
        if patient_digest(pseudonym(self.key, entry.source, entry.patient)) in self.withdrawn:
            msg = f"The patient of case {entry.case} withdrew."
            raise InputError(msg, hint="Take the film out of the manifest, and out of the folder.")

    def _add(self, entry: ManifestEntry) -> Taken:
        film = decode(entry.path)
        lungs = _lungs(entry, *film.shape)
        row = self._described(entry)
        row.height_px, row.width_px = film.shape
        row.fingerprint = fingerprint(film)
        row.film_digest = self.store.put_film(film)
        row.lung_digest = None if lungs is None else self.store.put_mask(lungs)
        return Taken(entry, row, is_known=False)

    def _compare(self, entry: ManifestEntry, known: CaseRow) -> Taken:
        row = self._described(entry)
        changed = [word for column, word in FIXED.items() if getattr(row, column) != getattr(known, column)]
        if not np.array_equal(decode(entry.path), self.store.get_film(known.film_digest)):
            changed.append("film")
        lungs = _lungs(entry, known.height_px, known.width_px)
        if lungs is not None and known.lung_digest:
            if not np.array_equal(lungs, self.store.get_mask(known.lung_digest)):
                changed.append("lung mask")
            lungs = None
        if changed:
            msg = f"Case {entry.case} is known with another {', another '.join(changed)}."
            raise InputError(msg, hint="What was ingested does not change; give another film another case key.")
        if lungs is None:
            return Taken(entry, known, is_known=True)
        if entry.case in self.in_open_stage:
            msg = (
                f"Case {entry.case} is in an open stage, and some of its readers may have done without a lung outline."
            )
            raise InputError(msg, hint="Give lung masks before a stage opens, or once it is locked.")
        return Taken(entry, known, is_known=True, late_lungs=self.store.put_mask(lungs))

    def _described(self, entry: ManifestEntry) -> CaseRow:
        day = entry.taken_on and shifted(self.key, entry.source, entry.patient, entry.taken_on)
        return CaseRow(
            key=entry.case,
            patient=pseudonym(self.key, entry.source, entry.patient),
            case_class=entry.case_class,
            view=entry.view,
            source=entry.source,
            licence=entry.licence,
            sex=entry.sex,
            age_years=coarse_age(entry.age_years),
            taken_on=day,
            simulated=self.simulated,
        )


def _lungs(entry: ManifestEntry, height: int, width: int) -> Mask | None:
    """The lung mask beside a film of this size, None if there is none."""
    if entry.lungs is None:
        return None
    called = f"Lung mask {entry.lungs.name}"
    mask = read_mask(MaskFile(entry.lungs, called, inside="the lungs", verb="ingest"), height, width)
    if not mask.any():
        msg = f"{called} is empty."
        raise InputError(msg, hint="Take the file away: a film needs no lung mask.")
    return mask


def _add_late_lungs(session: Session, films: Sequence[Taken]) -> None:
    for film in films:
        if film.late_lungs:
            # The film's digest: of a patient who withdrew meanwhile nothing comes back.
            row = update(CaseRow).where(CaseRow.id == film.row.id, CaseRow.film_digest == film.row.film_digest)
            session.execute(row.where(CaseRow.lung_digest.is_(None)).values(lung_digest=film.late_lungs))


def _not_overtaken(session: Session, films: Sequence[Taken]) -> tuple[list[Taken], list[Refusal]]:
    """The films less those whose case another ingest added meanwhile; until the transaction ends none can any more."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite's write transactions queue by themselves
        session.execute(text('LOCK TABLE "case" IN SHARE ROW EXCLUSIVE MODE'))
    keys = [film.entry.case for film in films if not film.is_known]
    there = set(session.scalars(select(CaseRow.key).where(CaseRow.key.in_(keys))))
    message = "Another ingest added this case meanwhile. Run `overread ingest` again to compare."
    late = [Refusal(key, message) for key in keys if key in there]
    return [film for film in films if film.is_known or film.entry.case not in there], late
