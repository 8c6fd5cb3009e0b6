"""What stands between a stage and its next step: looked at before anybody tries. Nothing here unblinds."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from annotation_server.services.coordinating import StageStatus
from db.domain.campaign import Arm, RoundState, StageState
from db.domain.case import CaseClass, View
from db.domain.study import DRAWN
from db.models import CampaignCase, CaseRow, Comparison, FinalMask, Stage
from db.repository.late import unproposed_cases
from db.repository.plans import drawings
from db.repository.roster import present_readers


@dataclass(frozen=True)
class Check:
    """One thing that the next step needs, or had better have, in words."""

    text: str
    is_met: bool


def stage_checks(session: Session, stage: Stage, status: StageStatus) -> Sequence[Check]:
    """What the next step of a stage needs; none where it is closed, or a job is at work."""
    if status.job is not None and status.job.state.is_active:
        return ()
    if stage.state is StageState.DRAFT:
        return _before_opening(session, stage)
    if stage.state is StageState.OPEN and status.round_state is RoundState.READING:
        return _before_locking(session, stage, status)
    if stage.state is StageState.OPEN:
        return _before_training(session, stage, status)
    if stage.state is StageState.LOCKED:
        finals = select(func.count()).where(FinalMask.round_id == stage.rounds[-1].id)
        n_finals = session.scalar(finals) or 0
        return (Check(f"{n_finals} final masks are made", n_finals > 0),)
    return ()


def _before_opening(session: Session, stage: Stage) -> Sequence[Check]:
    checks = []
    if stage.position > 0:
        before = stage.campaign.stages[stage.position - 1]
        checks.append(Check(f"stage {before.name} is {before.state}", before.state is StageState.CLOSED))
    n_free, n_patients = _free_films(session, stage)
    checks.append(Check(f"{n_free} films are left to read", n_free > 0))
    if stage.definition.with_drawing:
        n_drawn, n_folds = len(drawings(session, stage.campaign_id)), stage.campaign.definition.n_folds
        rest = "" if n_drawn else "; without, open it with a number of films that readers draw"
        checks.append(Check(f"{n_drawn} films have drawings{rest}", n_drawn > 0))
        checks.append(Check(f"{n_patients} patients for {n_folds} folds", n_patients >= n_folds))
    n_readers, needed = len(present_readers(session, stage.id)), stage.definition.readers_per_case
    checks.append(Check(f"{n_readers} readers for {needed} a case", n_readers >= needed))
    return checks


def _before_locking(session: Session, stage: Stage, status: StageStatus) -> Sequence[Check]:
    n_open = status.n_comparisons - status.n_decided
    checks = [Check(f"{status.n_decided} of {status.n_comparisons} comparisons are decided", n_open == 0)]
    if waiting := unproposed_cases(session, stage.rounds[-1]):
        checks.append(Check(f"{len(waiting)} films have no candidates yet; admit late films again", is_met=False))
    return checks


def _before_training(session: Session, stage: Stage, status: StageStatus) -> Sequence[Check]:
    drawn = select(func.count(), func.count(Comparison.decided_at)).where(
        Comparison.round_id == stage.rounds[-1].id, Comparison.kind.in_(DRAWN)
    )
    n_seats, n_done = session.execute(drawn).one()
    checks = [Check(f"{n_done} of {n_seats} films are drawn here", n_done == n_seats)] if n_seats else []
    if stage.definition.with_drawing:
        checks.append(Check(f"{status.n_drawn} films have drawings to learn from", status.n_drawn > 0))
    return checks


def _free_films(session: Session, stage: Stage) -> tuple[int, int]:
    """Films that the stage could take, and their patients: of the campaign, or, before it has any, of the record."""
    members = select(CampaignCase.case_id).where(CampaignCase.campaign_id == stage.campaign_id)
    taken = members.where((CampaignCase.stage_id.is_not(None)) | (CampaignCase.arm != Arm.READ))
    query = select(func.count(), func.count(CaseRow.patient.distinct())).where(
        CaseRow.case_class == CaseClass.INFECTION, CaseRow.view != View.LATERAL, CaseRow.id.not_in(taken)
    )
    n_films, n_patients = session.execute(query).one()
    return n_films, n_patients
