"""What `overread doctor` looks at: that the record and the store hold what they say."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import select, text

from db import audit
from db.domain.errors import OverreadError
from db.migrations import is_current
from db.models import FinalMask
from db.record import Record
from db.repository.files import known_digests
from db.repository.lineage import certify
from db.repository.withdrawals import unfinished

SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `trouble` is empty where it is well."""

    what: str
    trouble: str = ""


def check_installation(record: Record) -> Iterator[Finding]:
    """Look at everything, one finding at a time; nothing is changed."""
    for what, check in CHECKS.items():
        try:
            yield Finding(what, check(record))
        except OverreadError as error:
            yield Finding(what, str(error))


def _check_schema(record: Record) -> str:
    return "" if is_current(record.database) else "The schema is not up to date."


def _check_journal(record: Record) -> str:
    if not record.database.is_sqlite:
        return ""
    with record.database.read() as session:
        mode = session.scalar(text("PRAGMA journal_mode"))
    return "" if mode == "wal" else f"SQLite's journal mode is {mode}, not wal."


def _check_key(record: Record) -> str:
    record.settings.session_key()
    return ""


def _check_files(record: Record) -> str:
    """Each file that a row names is there and is what its name says."""
    with record.database.read() as session:
        digests = known_digests(session)
    missing = [digest for digest in digests if not record.store.path(digest).exists()]
    damaged = [
        digest for digest in digests - set(missing) if hashlib.sha256(record.store.get(digest)).hexdigest() != digest
    ]
    return " ".join(
        f"{len(found)} files are {state}: {', '.join(digest[:12] for digest in found[:SHOWN])}."
        for state, found in (("missing", missing), ("damaged", damaged))
        if found
    )


def _check_certificates(record: Record) -> str:
    with record.database.read() as session:
        certify(session, session.scalars(select(FinalMask.mask_id)).all())
    return ""


def _check_audit_log(record: Record) -> str:
    """The chain is whole, and still holds the entry that was the last one at an earlier check."""
    noted = audit.noted_head(record.settings.key_folder)
    with record.database.read() as session:
        broken = audit.verify(session, noted)
    return "" if broken is None else str(broken)


def _check_withdrawals(record: Record) -> str:
    with record.database.read() as session:
        n_open = len(unfinished(session))
    return f"Files of {n_open} patients who withdrew remain: `overread campaign withdraw --finish`." if n_open else ""


CHECKS: dict[str, Callable[[Record], str]] = {
    "schema": _check_schema,
    "journal": _check_journal,
    "session key": _check_key,
    "files of the store": _check_files,
    "certificates of final masks": _check_certificates,
    "audit log": _check_audit_log,
    "withdrawals": _check_withdrawals,
}
