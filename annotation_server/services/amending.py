"""What may change about a stage that is open, each time with a reason in the log: readers, quotas, overlap, late films.

Networks, the number of candidates, threshold and canonical mask may not: that is a new stage.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from annotation_server.services.enrolling import take_late
from annotation_server.services.rostering import add_seats, assign_reader, count_verdicts, leave_stage
from db import audit, jobs
from db.accounts import find_account
from db.domain.audit import AuditAction
from db.domain.campaign import RoundState, StageState
from db.domain.errors import InputError, StateError
from db.domain.provenance import JobKind
from db.models import Stage
from db.repository.cases import find_stage
from db.repository.late import LATE, unproposed_cases
from db.repository.seating import seat_drawers

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


@dataclass(frozen=True)
class Admission:
    """Late films that joined a stage: how many, how many seats to draw them, and the job that proposes for them."""

    n_films: int
    n_to_draw: int
    job_id: int | None

    @property
    def told(self) -> str:
        """What was done, in a sentence or two."""
        joined = f"{self.n_films} late films have joined."
        if self.job_id is not None:
            return f"{joined} The networks are asked for their masks once a worker is free (job {self.job_id})."
        return f"{joined} {self.n_to_draw} of them are to be drawn."


def admit_late(session: Session, amendment: Amendment) -> Admission:
    """Let the films that were ingested since a stage opened join it.

    While it is drawn they get their seats for drawing. While it is read the networks of its round, which stay as they
    are, are asked for them by a job, and then readers get them; what an earlier such job left undone is done as well.

    Raises
    ------
    StateError
        If the stage is a draft, is being trained, or no film came that can join.
    """
    stage = amendment.find(session)
    session.refresh(stage, with_for_update=True)
    if stage.state is not StageState.OPEN or stage.rounds[-1].state not in {RoundState.DRAWING, RoundState.READING}:
        msg = f"Stage {stage.address} is {stage.state}, and neither drawn nor read now; no film can join."
        raise StateError(msg, hint="Films that come before a stage opens are among those that it opens with.")
    late, round_ = take_late(session, stage), stage.rounds[-1]
    job_id, n_to_draw = None, 0
    if round_.state is RoundState.DRAWING:
        n_to_draw = seat_drawers(session, round_, only=[member.case_id for member in late])
    elif waiting := unproposed_cases(session, round_):
        arguments = {LATE: waiting}
        job = jobs.enqueue(
            session, kind=JobKind.TRAIN, campaign_id=stage.campaign_id, round_id=round_.id, arguments=arguments
        )
        job_id = job.id
    if not late and job_id is None:
        msg = f"No film came since stage {stage.address} opened that can join it."
        drawn = " Where it is read already, films of a stage with drawings need one." * stage.definition.with_drawing
        raise StateError(msg, hint=f"Take films in first.{drawn}")
    session.flush()
    amendment.log(session, AuditAction.STAGE_AMENDED, late_films=len(late), job=job_id)
    return Admission(len(late), n_to_draw, job_id)


def raise_overlap(session: Session, amendment: Amendment) -> int:
    """Let one reader more judge every case of a stage; how many seats were made; StateError if it is not being read."""
    stage = amendment.find(session)
    if not stage.rounds or stage.rounds[-1].state is not RoundState.READING:
        msg = f"Stage {stage.address} is not being read; its overlap cannot change now."
        raise StateError(msg, hint="Wait until its networks are trained, or set readers_per_case in a new campaign.")
    n_made = add_seats(session, stage.rounds[-1])
    amendment.log(session, AuditAction.STAGE_AMENDED, seats_added=n_made)
    return n_made
