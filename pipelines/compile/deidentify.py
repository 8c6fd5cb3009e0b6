"""Patients become keyed pseudonyms, dates move by a secret number of days a patient, before anything is stored.

The key lies outside the database and its backups (`Settings.pseudonym_key`): without it a pseudonym leads nowhere.
Patient 1 of one source is not patient 1 of another.
"""

import csv
import hashlib
import hmac
import os
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

from db.domain.errors import InputError

PSEUDONYM_DIGITS = 16
MAX_SHIFT_DAYS = 3650
OLDEST_YEARS = 90.0
"""Higher ages identify people; they are kept as this one."""


def pseudonym(key: bytes, source: str, patient: str) -> str:
    """The name under which a patient of a source is kept: always the same, unguessable without the key."""
    return f"p{_keyed(key, 'patient', source, patient).hex()[:PSEUDONYM_DIGITS]}"


def shifted(key: bytes, source: str, patient: str, day: date) -> date:
    """`day` moved back by 1 to 3650 days, the same number for all dates of a patient, so that intervals survive."""
    days = int.from_bytes(_keyed(key, "date", source, patient)[:8]) % MAX_SHIFT_DAYS + 1
    return day - timedelta(days=days)


def coarse_age(age_years: float | None) -> float | None:
    """An age that names nobody."""
    return None if age_years is None else min(age_years, OLDEST_YEARS)


def append_relink(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Add the (pseudonym, source, patient) rows that a coordinator's relink table lacks.

    The table is a file that only its owner can read; the record never holds it.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        msg = f"The relink table {path} cannot be opened: {error.strerror}."
        raise InputError(msg, hint="Name a file in a folder that exists.") from None
    with os.fdopen(handle, "r+", newline="") as file:
        os.fchmod(file.fileno(), 0o600)
        held = {tuple(row) for row in csv.reader(file)}
        csv.writer(file).writerows(row for row in dict.fromkeys(rows) if row not in held)


def _keyed(key: bytes, *parts: str) -> bytes:
    message = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.digest(key, message.encode(), hashlib.sha256)
