"""Patients become keyed pseudonyms, dates move by a secret number of days a patient, before anything is stored.

The key lies outside the database and its backups (`Settings.pseudonym_key`): without it a pseudonym leads nowhere.
"""

import csv
import hashlib
import hmac
import os
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

MAX_SHIFT_DAYS = 365
OLDEST_YEARS = 90.0
"""Higher ages identify people; they are kept as this one."""


def pseudonym(key: bytes, source: str, patient: str) -> str:
    """The name under which a patient of a source is kept: always the same, unguessable without the key."""
    return f"p{_keyed(key, 'patient', source, patient).hex()[:16]}"


def shifted(key: bytes, source: str, patient: str, day: date) -> date:
    """`day` moved back by 1 to 365 days, the same number for all dates of a patient, so that intervals survive."""
    days = int.from_bytes(_keyed(key, "date", source, patient)[:8]) % MAX_SHIFT_DAYS + 1
    return day - timedelta(days=days)


def coarse_age(age_years: float | None) -> float | None:
    """An age that names nobody."""
    return None if age_years is None else min(age_years, OLDEST_YEARS)


def append_relink(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Add (pseudonym, source, patient) rows to a coordinator's relink table, a file only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", newline="") as file:
        csv.writer(file).writerows(rows)


def _keyed(key: bytes, *parts: str) -> bytes:
    return hmac.digest(key, "\0".join(parts).encode(), hashlib.sha256)
