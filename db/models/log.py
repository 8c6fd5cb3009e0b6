"""What was done, and what was erased."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from db.domain.provenance import SOFTWARE_VERSION
from db.models.base import Base, now


class AuditEntry(Base):
    """Who did what to what, and when. Append-only: each row's digest covers the one before it."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(doc="The code of an account, or `system`.")
    action: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str] = mapped_column(index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    software_version: Mapped[str] = mapped_column(default=SOFTWARE_VERSION)
    created_at: Mapped[datetime] = mapped_column(default=now)
    previous: Mapped[str] = mapped_column(unique=True, doc="The digest of the entry before; of the first, empty.")
    digest: Mapped[str]


class Withdrawal(Base):
    """The tombstone of a patient who withdrew: what was erased, and what had been made from it."""

    __tablename__ = "withdrawal"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient: Mapped[str] = mapped_column(unique=True, doc="The pseudonym, hashed.")
    n_films: Mapped[int]
    tainted: Mapped[dict[str, Any]] = mapped_column(doc="Checkpoints, exports and backups that it touched.")
    created_at: Mapped[datetime] = mapped_column(default=now)
