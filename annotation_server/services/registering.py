"""Films that wait in a folder of the server, or were sent from a browser, and the job that takes them in.

A folder is one of those directly below an import folder, with a `manifest.csv`. Nothing outside can be named.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation_server.services.receiving import Reception, SentFile
from db import audit, jobs
from db.domain.audit import AuditAction
from db.domain.case import MANIFEST
from db.domain.errors import NotFoundError
from db.domain.provenance import JobKind, JobState
from db.models import Job
from db.record import Record
from db.repository.cases import find_campaign
from db.settings import Settings


@dataclass(frozen=True)
class Incoming:
    """A folder with films that can be taken in; `n_files` counts what lies in it and below."""

    name: str
    folder: Path
    n_files: int


def list_incoming(settings: Settings) -> Sequence[Incoming]:
    """The folders below the import folders that hold a manifest, by name."""
    found = [
        Incoming(path.name, path, sum(file.is_file() for file in path.rglob("*")) - 1)
        for root in settings.incoming
        if root.is_dir()
        for path in root.iterdir()
        if path.is_dir() and not path.is_symlink() and (path / MANIFEST).is_file()
    ]
    return sorted(found, key=lambda one: one.name)


def request_ingest(  # noqa: PLR0913 - where, for whom, what, by whom
    session: Session, settings: Settings, campaign: str, name: str, *, simulated: bool, actor: str
) -> Job:
    """Enqueue the ingest of a folder of films; they belong to every campaign that opens a stage later.

    Raises
    ------
    NotFoundError
        If there is no such folder, or no such campaign.
    StateError
        If an ingest of the campaign waits or runs.
    """
    folder = next((one.folder for one in list_incoming(settings) if one.name == name), None)
    if folder is None:
        msg = f"There is no folder {name!r} with films to take in."
        raise NotFoundError(msg, hint=f"Put it below an import folder of the server, with a {MANIFEST} in it.")
    found = find_campaign(session, campaign)
    arguments = {"folder": str(folder.resolve()), "simulated": simulated}
    job = jobs.enqueue(session, kind=JobKind.INGEST, campaign_id=found.id, arguments=arguments)
    audit.log(session, actor, AuditAction.FILMS_REGISTERED, campaign, folder=name, job=job.id, simulated=simulated)
    return job


def request_upload(  # noqa: PLR0913 - for whom, what, by whom
    record: Record,
    campaign: str,
    films: Sequence[SentFile],
    manifest: SentFile | None,
    *,
    simulated: bool,
    actor: str,
) -> tuple[int, Reception]:
    """Receive films from a browser and enqueue their ingest; the job's id, and what was received and refused.

    The files lie in the job's own folder, which is erased when the job ends.

    Raises
    ------
    InputError
        If nothing of it can be taken in.
    NotFoundError
        If there is no such campaign.
    StateError
        If an ingest of the campaign waits or runs. In each case nothing is kept.
    """
    home = record.settings.job_folder(0).parent
    with record.database.read() as session:
        find_campaign(session, campaign)
        _sweep(session, home)
    reception = Reception.of(home, films, manifest)
    try:
        with record.database.write() as session:
            found = find_campaign(session, campaign)
            job = jobs.enqueue(session, kind=JobKind.INGEST, campaign_id=found.id)
            target = record.settings.job_folder(job.id).resolve()
            job.arguments = {
                "folder": str(target / reception.folder),
                "simulated": simulated,
                "refused": [list(one) for one in reception.refused],
            }
            session.flush()
            audit.log(
                session,
                actor,
                AuditAction.FILMS_REGISTERED,
                campaign,
                job=job.id,
                n_sent=reception.n_films,
                n_refused=len(reception.refused),
                simulated=simulated,
            )
            reception.move(target)
            job_id = job.id
    except BaseException:
        reception.discard()
        raise
    return job_id, reception


def _sweep(session: Session, home: Path) -> None:
    """Erase the folders of ingests that were cancelled before a worker took them."""
    ended = select(Job.id).where(Job.kind == JobKind.INGEST, Job.state.not_in(JobState.active()))
    for job_id in session.scalars(ended):
        shutil.rmtree(home / str(job_id), ignore_errors=True)
