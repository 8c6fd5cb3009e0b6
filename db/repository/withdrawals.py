"""Patients who withdrew: how they are known again, and which of their files are still to be erased."""

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import Withdrawal

PENDING = "pending"
"""In a tombstone's `tainted` until its files are gone."""


def patient_digest(pseudonym: str) -> str:
    """What a tombstone keeps of a patient: enough to know the same pseudonym again, and no more."""
    return hashlib.sha256(pseudonym.encode()).hexdigest()


def withdrawn_patients(session: Session) -> frozenset[str]:
    """The `patient_digest` of everybody who withdrew."""
    return frozenset(session.scalars(select(Withdrawal.patient)))


def unfinished(session: Session) -> list[Withdrawal]:
    """Withdrawals whose files may still be there."""
    return [one for one in session.scalars(select(Withdrawal)) if PENDING in one.tainted]
