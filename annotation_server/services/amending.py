"""What may change about a stage that is open, each time with a reason in the log: readers, quotas, overlap.

Networks, the number of candidates, threshold and canonical mask may not: that is a new stage.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from annotation_server.services.rostering import add_seats, assign_reader, count_verdicts, leave_stage
from db import audit
from db.accounts import find_account
from db.domain.audit import AuditAction
from db.domain.campaign import RoundState, StageState
from db.domain.errors import InputError, StateError
from db.models import Stage
from db.repository.cases import find_stage

MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True)
class Amendment:
    """Of which stage, by whom, and why; a draft needs no reason."""

    address: str
    actor: str
    reason: str = ""

    def find(self, session: Session) -> Stage:
        """The stage, if it may be amended.

        Raises
        ------
        InputError
            If the stage is open and no reason is given, or a very long one.
        NotFoundError
            If there is no such stage.
        StateError
            If the stage is locked: its final masks rest on what is.
        """
        stage = find_stage(session, self.address)
        if stage.state not in {StageState.DRAFT, StageState.OPEN}:
            msg = f"Stage {stage.address} is {stage.state}: what it rests on does not change any more."
            raise StateError(msg, hint="Create another stage or campaign.")
        if stage.state is StageState.OPEN and not self.reason.strip():
            msg = f"Stage {stage.address} is open: an amendment needs a reason."
            raise InputError(msg, hint="Say why, in a sentence; it stands in the log.")
        if len(self.reason) > MAX_REASON_CHARACTERS:
            msg = f"The reason has {len(self.reason)} characters."
            raise InputError(msg, hint=f"Use {MAX_REASON_CHARACTERS} at most.")
        return stage

    def log(self, session: Session, action: AuditAction, **detail: Any) -> None:  # noqa: ANN401 - whatever JSON holds
        """Put it into the log, with its reason."""
        audit.log(session, self.actor, action, self.address, reason=self.reason.strip(), **detail)


def assign(session: Session, amendment: Amendment, code: str, *, quota: int | None) -> None:
    """Assign a reader to a stage, or change the quota, or take one who left back.

    Raises
    ------
    InputError
        If the account is no active reader, or the quota negative.
    NotFoundError
        If there is no such account.
    """
    stage = amendment.find(session)
    assign_reader(session, stage, find_account(session, code), quota=quota)
    amendment.log(session, AuditAction.READER_ASSIGNED, reader=code, quota=quota)


def let_go(session: Session, amendment: Amendment, code: str, *, counts: bool) -> int:
    """Let a reader leave a stage, with verdicts that count or do not; how many undecided seats are free now."""
    stage = amendment.find(session)
    n_freed = leave_stage(session, stage, find_account(session, code), counts=counts)
    amendment.log(session, AuditAction.READER_LEFT, reader=code, counts=counts)
    return n_freed


def decide_verdicts(session: Session, amendment: Amendment, code: str, *, counts: bool) -> None:
    """Decide anew whether the verdicts of a reader who left count; InputError if the reader has not left."""
    stage = amendment.find(session)
    count_verdicts(session, stage, find_account(session, code), counts=counts)
    amendment.log(session, AuditAction.STAGE_AMENDED, reader=code, counts=counts)


def raise_overlap(session: Session, amendment: Amendment) -> int:
    """Let one reader more judge every case of a stage; how many seats were made; StateError if it is not being read."""
    stage = amendment.find(session)
    if not stage.rounds or stage.rounds[-1].state is not RoundState.READING:
        msg = f"Stage {stage.address} is not being read; its overlap cannot change now."
        raise StateError(msg, hint="Wait until its networks are trained, or set readers_per_case in a new campaign.")
    n_made = add_seats(session, stage.rounds[-1])
    amendment.log(session, AuditAction.STAGE_AMENDED, seats_added=n_made)
    return n_made
