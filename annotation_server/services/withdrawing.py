"""A patient withdraws: films, maps and masks are erased, and what had been made from them is named.

Rows that others rest on stay without anything of the patient: a verdict was given, a network did learn. A case is
then called `withdrawn-...`, has no pixels and is set aside; its component keeps its members, so that certificates hold.
Its key was given by whoever registered it, an accession number perhaps: no pseudonym, so that nothing keeps it, cards
of checkpoints included: there the tombstone's name takes its place, and the number of films learned from stays true.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from db import audit
from db.artifacts import write_atomically
from db.domain.audit import AuditAction
from db.domain.campaign import WITHDRAWN, Arm
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.provenance import JobKind, JobState
from db.models import (
    Campaign,
    CampaignCase,
    CaseRow,
    Checkpoint,
    Comparison,
    Draft,
    FinalMask,
    Job,
    MaskRow,
    PhantomTruth,
    Prediction,
    TrainingExample,
    Verdict,
    Withdrawal,
    now,
)
from db.record import Record
from db.repository.files import DIGESTS, known_digests
from db.repository.withdrawals import PENDING, patient_digest, unfinished

NAME_CHARACTERS = 12


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal erased, and what it could not reach.

    Attributes
    ----------
    tainted
        `checkpoints` that learned from the films or from masks of networks that did, `exports` (their folders) and
        `reports` that may show them, and until when `backups` hold them.
    """

    n_films: int
    n_files: int
    tainted: dict[str, Any]


def withdraw_patient(record: Record, case_key: str, *, reason: str, actor: str = audit.SYSTEM) -> Withdrawn:
    """Erase every film of the patient of a case, and all that shows it.

    The rows change first; `finish_withdrawals` erases the files, now or after a crash.

    Raises
    ------
    InputError
        If there is no reason.
    NotFoundError
        If there is no such case.
    StateError
        If a job of a campaign with these films is waiting or running: it would bring them back.
    """
    if not reason.strip():
        msg = "A withdrawal needs a reason for the log."
        raise InputError(msg, hint="Say who asked for it and when, without naming the patient.")
    with record.database.write() as session:
        cases = _cases_of_patient(session, case_key)
        _refuse_active_jobs(session, cases)
        ids, patient = [case.id for case in cases], patient_digest(cases[0].patient)
        tainted = _tainted(session, ids)
        pending = {"files": sorted(_digests_of(session, ids)), "cases": [case.key for case in cases]}
        session.add(Withdrawal(patient=patient, n_films=len(cases), tainted=tainted | {PENDING: pending}))
        _scrub(session, cases, patient)
        audit.log(
            session, actor, AuditAction.PATIENT_WITHDRAWN, _name(patient), n_films=len(cases), reason=reason.strip()
        )
    return Withdrawn(len(ids), finish_withdrawals(record), tainted)


def finish_withdrawals(record: Record) -> int:
    """Erase the files of patients who withdrew that are still there and that no other film needs; how many."""
    with record.database.read() as session:
        kept = known_digests(session)
        found = {one.id: (one.patient, one.tainted[PENDING]) for one in unfinished(session)}
    names = {key: name for who, what in found.values() for key, name in _names(who, what["cases"]).items()}
    paths = [record.store.path(digest) for _, what in found.values() for digest in what["files"] if digest not in kept]
    paths += _stored_predictions(record.settings.runs_folder, set(names))
    there = [path for path in paths if path.exists()]
    for path in there:
        path.unlink(missing_ok=True)
    _rename_in_runs(record.settings.runs_folder, names)
    with record.database.write() as session:
        for one in unfinished(session):
            if one.id not in found:
                continue  # it came meanwhile, and its files have not been looked at
            one.tainted = {name: value for name, value in one.tainted.items() if name != PENDING}
    return len(there)


def _cases_of_patient(session: Session, case_key: str) -> Sequence[CaseRow]:
    patient = session.scalar(select(CaseRow.patient).where(CaseRow.key == case_key))
    if patient is None:
        msg = f"There is no case {case_key!r}."
        raise NotFoundError(msg, hint="Give the key of any film of the patient, as `overread ingest` took it.")
    return session.scalars(select(CaseRow).where(CaseRow.patient == patient).with_for_update()).all()


def _refuse_active_jobs(session: Session, cases: Sequence[CaseRow]) -> None:
    campaigns = select(CampaignCase.campaign_id).where(CampaignCase.case_id.in_([case.id for case in cases]))
    query = select(Job.id).where(Job.campaign_id.in_(campaigns), Job.state.in_(JobState.active()))
    if active := sorted(session.scalars(query)):
        msg = f"Jobs {', '.join(map(str, active))} of campaigns with these films have not ended."
        raise StateError(msg, hint="Wait for them, or end them with `overread worker cancel`.")


def _tainted(session: Session, case_ids: Sequence[int]) -> dict[str, Any]:
    members = select(CampaignCase.campaign_id).where(CampaignCase.case_id.in_(case_ids))
    exports = select(Job).where(Job.campaign_id.in_(members), Job.kind == JobKind.EXPORT, Job.state == JobState.DONE)
    checkpoints = session.scalars(
        select(Checkpoint).where(Checkpoint.id.in_(_taught(session, case_ids))).order_by(Checkpoint.id)
    )
    names = session.scalars(select(Campaign.name).where(Campaign.id.in_(members)).order_by(Campaign.name))
    return {
        "checkpoints": [
            {"id": one.id, "network": one.network, "fold": one.fold, "key": one.key} for one in checkpoints
        ],
        "exports": sorted({str(job.arguments.get("folder", f"job {job.id}")) for job in session.scalars(exports)}),
        "reports": list(names),
        "backups": f"all that were made before {now():%Y-%m-%d %H:%M} UTC",
    }


def _taught(session: Session, case_ids: Iterable[int]) -> set[int]:
    """Checkpoints that learned from the films, or from masks that such checkpoints made, and so on."""
    found: set[int] = set()
    latest = _learners(session, TrainingExample.case_id.in_(case_ids))
    while latest := latest - found:
        found |= latest
        made = select(MaskRow.id).where(MaskRow.checkpoint_id.in_(latest))
        touched = select(MaskRow.id).where(MaskRow.parent_id.in_(made))
        latest = _learners(session, TrainingExample.mask_id.in_(made) | TrainingExample.mask_id.in_(touched))
    return found


def _learners(session: Session, condition: ColumnElement[bool]) -> set[int]:
    return set(session.scalars(select(TrainingExample.checkpoint_id).where(condition)))


def _digests_of(session: Session, case_ids: Sequence[int]) -> set[str]:
    """The files of the films and of all that shows them."""
    found: set[str | None] = set()
    for column in DIGESTS:
        table = column.class_
        case_id = CaseRow.id if table is CaseRow else getattr(table, "case_id", None)
        if case_id is not None:  # checkpoints and weights show no film
            found |= set(session.scalars(select(column).where(case_id.in_(case_ids))))
    return {digest for digest in found if digest}


def _scrub(session: Session, cases: Sequence[CaseRow], patient: str) -> None:
    ids = [case.id for case in cases]
    undecided = select(Comparison.id).where(Comparison.case_id.in_(ids), Comparison.decided_at.is_(None))
    session.execute(
        delete(Draft).where(Draft.comparison_id.in_(select(Comparison.id).where(Comparison.case_id.in_(ids))))
    )
    told = select(Verdict.comparison_id)
    session.execute(delete(Comparison).where(Comparison.id.in_(undecided), Comparison.id.not_in(told)))
    for table in (FinalMask, Prediction, PhantomTruth):
        session.execute(delete(table).where(table.case_id.in_(ids)))
    session.execute(update(MaskRow).where(MaskRow.case_id.in_(ids)).values(digest=None, map_digest=None))
    session.execute(
        update(CampaignCase)
        .where(CampaignCase.case_id.in_(ids))
        .values(arm=Arm.SET_ASIDE, stage_id=None, reason=WITHDRAWN)
    )
    names = _names(patient, [case.key for case in cases])
    learners = select(TrainingExample.checkpoint_id).where(TrainingExample.case_id.in_(ids))
    for checkpoint in session.scalars(select(Checkpoint).where(Checkpoint.id.in_(learners))):
        checkpoint.card = _renamed(checkpoint.card, names)
    for case in cases:
        name = names[case.key]
        for column in (CaseRow.component, CampaignCase.component):  # a component is called like one of its cases
            session.execute(update(column.class_).where(column == case.key).values(component=name))
        case.key, case.patient, case.source, case.licence = name, patient, "", ""
        case.sex = case.age_years = case.taken_on = None
        case.film_digest, case.lung_digest, case.fingerprint = "", None, b""
    session.flush()
    session.expire_all()


def _stored_predictions(runs: Path, keys: set[str]) -> list[Path]:
    """Files of runs that hold a map of one of the cases; they are made again where they are needed."""
    return [path for path in runs.glob("*/predictions-*.npz") if keys and not keys.isdisjoint(_cases_in(path, keys))]


def _cases_in(path: Path, keys: set[str]) -> set[str]:
    """The cases whose maps a file holds; of one that nobody can read it must be assumed that it holds `keys`."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return set(arrays["keys"].tolist())
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return keys


def _rename_in_runs(runs: Path, names: Mapping[str, str]) -> None:
    """Take the cases' keys out of the cards beside trained weights."""
    for path in runs.glob("*/card.json"):
        card = json.loads(path.read_bytes())
        if (renamed := _renamed(card, names)) != card:
            write_atomically(path, json.dumps(renamed, indent=1).encode())


def _renamed(card: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A checkpoint's card with other names for the cases that it learned from or was chosen by."""
    seen = {name: sorted(names.get(key, key) for key in card[name]) for name in ("train", "validation") if name in card}
    return {**card, **seen}


def _names(patient: str, keys: Sequence[str]) -> dict[str, str]:
    """What the cases of a patient are called from now on."""
    return {key: f"{_name(patient)}-{number}" for number, key in enumerate(keys)}


def _name(patient: str) -> str:
    return f"withdrawn-{patient[:NAME_CHARACTERS]}"
