"""What the audit log holds, and the digest that chains its entries."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class AuditAction(StrEnum):
    """What somebody did. Verdicts are not among them: their table is append-only itself."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    SESSIONS_ENDED = "sessions_ended"
    ACCOUNT_ADDED = "account_added"
    ACCOUNT_DEACTIVATED = "account_deactivated"
    ACCOUNT_REACTIVATED = "account_reactivated"
    INVITED = "invited"
    INVITATION_USED = "invitation_used"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - an action's name
    TOKEN_MADE = "token_made"  # noqa: S105 - the same
    TOKEN_REVOKED = "token_revoked"  # noqa: S105 - the same
    CAMPAIGN_CREATED = "campaign_created"
    FILMS_REGISTERED = "films_registered"
    NETWORKS_CHOSEN = "networks_chosen"
    STAGE_OPENED = "stage_opened"
    STAGE_AMENDED = "stage_amended"
    STAGE_LOCKED = "stage_locked"
    STAGE_UNBLINDED = "stage_unblinded"
    STAGE_CLOSED = "stage_closed"
    TRAINING_REQUESTED = "training_requested"
    JOB_CANCELLED = "job_cancelled"
    READER_ASSIGNED = "reader_assigned"
    READER_LEFT = "reader_left"
    ADJUDICATOR_ASSIGNED = "adjudicator_assigned"
    GUIDE_PUBLISHED = "guide_published"
    EXPORTED = "exported"
    REPORTED = "reported"
    PATIENT_WITHDRAWN = "patient_withdrawn"


@dataclass(frozen=True)
class ChainHead:
    """The last entry of a log: its number, which is also how many there are, and its digest. The first has number 1."""

    number: int = 0
    digest: str = ""

    def to_json(self) -> str:
        """For a file."""
        return json.dumps({"number": self.number, "digest": self.digest})

    @classmethod
    def from_json(cls, text: str) -> "ChainHead":
        """What `to_json` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True)
class BrokenEntry:
    """The first entry that is not as it was written, and how that shows."""

    number: int
    fault: str

    def __str__(self) -> str:
        return f"Entry {self.number} {self.fault}."


@dataclass(frozen=True)
class AuditFields:
    """All that an entry says, its place in the chain included."""

    number: int
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    software_version: str
    created_at: datetime
    previous: str

    def digest(self) -> str:
        """sha256 of the canonical JSON of all fields, in hex."""
        fields = vars(self) | {"detail": dict(self.detail), "created_at": self.created_at.astimezone(UTC).isoformat()}
        return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
