"""Exports that were asked for on the dashboard: made by a worker, listed, downloaded as one file."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import audit, jobs
from db.domain.audit import AuditAction
from db.domain.errors import NotFoundError, StateError
from db.domain.provenance import JobKind, JobState
from db.models import Campaign, Job, now
from db.repository.cases import find_campaign
from db.repository.plans import final_masks
from db.settings import Settings


@dataclass(frozen=True)
class Export:
    """An export job; `is_here` where its folder lies among those that can be downloaded."""

    job: Job
    name: str
    is_here: bool


def request_export(session: Session, settings: Settings, campaign: str, *, actor: str) -> Job:
    """Enqueue an export of a campaign's final masks.

    Raises
    ------
    StateError
        If there are no final masks yet.
    """
    found = find_campaign(session, campaign)
    if not final_masks(session, found.id):
        msg = f"Campaign {campaign} has no final masks yet."
        raise StateError(msg, hint="Lock a stage first.")
    folder = settings.exports_folder.resolve() / f"{campaign}-{now():%Y%m%d-%H%M%S-%f}"
    arguments = {"campaign": campaign, "folder": str(folder)}
    job = jobs.enqueue(session, kind=JobKind.EXPORT, campaign_id=found.id, arguments=arguments)
    audit.log(session, actor, AuditAction.EXPORTED, campaign, job=job.id)
    return job


def list_exports(session: Session, settings: Settings, campaign: Campaign) -> Sequence[Export]:
    """The campaign's exports, newest first, wherever they were made."""
    query = select(Job).where(Job.campaign_id == campaign.id, Job.kind == JobKind.EXPORT).order_by(Job.id.desc())
    return [_export(settings, job) for job in session.scalars(query)]


def find_export(session: Session, settings: Settings, campaign: str, job_id: int) -> Path:
    """The folder of an export that can be downloaded, or NotFoundError."""
    job = session.get(Job, job_id)
    export = None if job is None or job.kind is not JobKind.EXPORT else _export(settings, job)
    if export is None or not export.is_here or export.job.campaign.name != campaign:
        msg = f"Campaign {campaign} has no export {job_id} to download."
        raise NotFoundError(msg, hint="Exports of the command line lie where they were written to.")
    return settings.exports_folder / export.name


def zip_folder(folder: Path) -> Iterator[bytes]:
    """A ZIP file of a folder, piece by piece; its pictures are compressed already."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, Path(folder.name) / path.relative_to(folder))
                yield sink.take()
    yield sink.take()


class _Sink:
    """What a ZIP file is written to: it cannot be sought in, and is emptied as it goes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is held."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _export(settings: Settings, job: Job) -> Export:
    folder = Path(str(job.arguments.get("folder", "")))
    is_ours = folder.parent == settings.exports_folder.resolve()
    return Export(job, folder.name, is_here=job.state is JobState.DONE and is_ours and folder.is_dir())
