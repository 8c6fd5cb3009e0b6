"""The audit log as a page shows it: some of its entries, newest first, and whether the chain is whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import AuditEntry

N_ENTRIES = 100


@dataclass(frozen=True)
class LogFilter:
    """Which entries: those of an actor, an action, a subject or what begins with it; empty is any. `before` pages."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    before: int | None = None


@dataclass(frozen=True)
class LogPage:
    """Entries, newest first, and how many the filter finds in all."""

    entries: Sequence[AuditEntry]
    n_found: int


def read_log(session: Session, wanted: LogFilter) -> LogPage:
    """The newest entries that are wanted."""
    query = select(AuditEntry)
    if wanted.actor:
        query = query.where(AuditEntry.actor == wanted.actor)
    if wanted.action:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.subject:
        query = query.where(AuditEntry.subject.startswith(wanted.subject, autoescape=True))
    n_found = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    if wanted.before is not None:
        query = query.where(AuditEntry.id < wanted.before)
    return LogPage(session.scalars(query.order_by(AuditEntry.id.desc()).limit(N_ENTRIES)).all(), n_found)
