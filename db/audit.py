"""The audit log: who did what to what, and when. Each entry's digest covers the one before it.

What the chain proves: an entry that was edited, deleted, put elsewhere or inserted later breaks it, and `verify` names
the first. What it cannot prove alone: that nobody cut entries off its end, or wrote the whole log anew. For that the
chain's head is kept outside the database (`note_head`; `overread doctor` does it and prints the head): what was there
at the last check cannot vanish or change unseen by whoever may write to the database but not to the key folder. A head
on paper, or in a ticket, holds against those who may write to both.
"""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from db.artifacts import write_atomically
from db.domain.audit import AuditAction, AuditFields, BrokenEntry, ChainHead
from db.domain.errors import InputError
from db.domain.provenance import SOFTWARE_VERSION
from db.models import AuditEntry, now

SYSTEM = "system"
"""Acts on the command line, and for nobody who signed in."""

LOCK_ID = 7_318_002
"""Advisory lock on PostgreSQL under which one transaction at a time appends; SQLite has one writer anyway."""

HEAD_FILE = "audit-head.json"
PAGE = 500


def log(session: Session, actor: str, action: AuditAction, subject: str, **detail: Any) -> AuditEntry:  # noqa: ANN401 - whatever JSON holds
    """Append an entry to the caller's transaction: it stands if and only if the act does.

    Call it last in a transaction: on PostgreSQL others that log wait from here to its end.

    Parameters
    ----------
    actor
        The code of the account that acts, or `SYSTEM`.
    subject
        What it is done to: the code of an account, a campaign, a stage's address. Never a patient.
    detail
        What else is worth keeping, as JSON values; a reason, for example.
    """
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})
    last = head(session)
    fields = AuditFields(
        number=last.number + 1,
        actor=actor,
        action=str(action),
        subject=subject,
        detail=json.loads(json.dumps(detail)),
        software_version=SOFTWARE_VERSION,
        created_at=now(),
        previous=last.digest,
    )
    values = dict(vars(fields))
    entry = AuditEntry(id=values.pop("number"), digest=fields.digest(), **values)
    session.add(entry)
    session.flush()
    return entry


def head(session: Session) -> ChainHead:
    """Where the log ends; number 0 while it is empty."""
    query = select(AuditEntry.id, AuditEntry.digest).order_by(AuditEntry.id.desc()).limit(1)
    found = session.execute(query).one_or_none()
    return ChainHead() if found is None else ChainHead(*found)


def verify(session: Session, noted: ChainHead | None = None) -> BrokenEntry | None:
    """The first entry that is not as it was written, or None.

    With the `noted` head of an earlier time, the log must still hold that entry: else its end was cut, or all of it
    written anew.
    """
    last = ChainHead()
    for entry in session.scalars(select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=PAGE)):
        if entry.id != last.number + 1:
            return BrokenEntry(last.number + 1, "is missing")
        if entry.previous != last.digest:
            return BrokenEntry(entry.id, "does not follow the one before it")
        if entry.digest != _fields(entry).digest():
            return BrokenEntry(entry.id, "was changed")
        last = ChainHead(entry.id, entry.digest)
        if noted is not None and noted.number == last.number and noted.digest != last.digest:
            return BrokenEntry(entry.id, "is another one than was noted earlier")
    if noted is not None and noted.number > last.number:
        return BrokenEntry(last.number + 1, f"and what followed was cut off: the log had {noted.number} entries")
    return None


def noted_head(folder: Path) -> ChainHead | None:
    """The head that `note_head` kept in this folder, or None.

    Raises
    ------
    InputError
        If the file is not what it wrote.
    """
    path = folder / HEAD_FILE
    try:
        return ChainHead.from_json(path.read_text())
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        msg = f"The note of the audit log's end ({HEAD_FILE} in the key folder) cannot be read."
        raise InputError(
            msg, hint="Compare the log with a head that you noted elsewhere, then remove the file."
        ) from None


def note_head(folder: Path, last: ChainHead) -> None:
    """Keep the log's head in a folder outside the database, for later checks."""
    write_atomically(folder / HEAD_FILE, last.to_json().encode())


def _fields(entry: AuditEntry) -> AuditFields:
    return AuditFields(
        number=entry.id,
        actor=entry.actor,
        action=entry.action,
        subject=entry.subject,
        detail=entry.detail,
        software_version=entry.software_version,
        created_at=entry.created_at,
        previous=entry.previous,
    )
