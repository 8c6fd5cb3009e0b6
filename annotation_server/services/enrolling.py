"""Which films a campaign has, on which fold each stands, and which stage reads it. Always by whole component."""

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.campaign import Arm, RoundState
from db.domain.case import CaseClass, View
from db.domain.errors import StateError
from db.domain.folds import assign_folds, extend_folds, sample_components
from db.models import Campaign, CampaignCase, CaseRow, Stage
from db.repository.plans import drawings

DRAWN = "drawn"
"""Stratum of the films with drawings, which must fill every fold."""


def enrol(session: Session, campaign: Campaign) -> None:
    """Make every ingested film that is not a member yet a member, with its arm and its fold.

    The first time all folds are made, stratified by class and by who has a drawing; later a film inherits the fold of
    its component and the name that it had then, and one that would join components of different folds is set aside.

    Raises
    ------
    InputError
        If fewer patients have drawings than there are folds.
    """
    rows = _candidates(session)
    members = {member.case.key: member for member in _members(session, campaign)}
    of_case = component_names(campaign, rows)
    joined = {of_case[key]: member.component for key, member in members.items()}
    arms = {row.key: _arm(row) for row in rows}
    placed = {row.key: of_case[row.key] for row in rows if arms[row.key][0] is not Arm.SET_ASIDE}
    if members:
        held = {key: member.fold for key, member in members.items() if member.fold is not None}
        definition = campaign.definition
        folds, conflicts = extend_folds(
            held, placed | _of(held, of_case), n_folds=definition.n_folds, seed=definition.seed
        )
        arms |= {
            key: (Arm.SET_ASIDE, f"joins films of folds {conflicts[component]}")
            for key, component in placed.items()
            if component in conflicts
        }
    else:
        folds = _first_folds(session, campaign, rows, placed)
    session.add_all(
        CampaignCase(
            campaign_id=campaign.id,
            case=row,
            arm=arm,
            component=joined.get(of_case[row.key], of_case[row.key]),
            fold=folds.get(row.key),
            reason=reason,
        )
        for row in rows
        if row.key not in members
        for arm, reason in [arms[row.key]]
    )
    session.flush()


def take_cases(session: Session, stage: Stage, n_cases: int | None) -> None:
    """Give a stage its films: `n_cases` at random, or those with drawings (stage I), or all that are left.

    Raises
    ------
    StateError
        If none would be left to read, or fewer than asked for.
    """
    campaign = stage.campaign
    members = [member for member in _members(session, campaign) if member.arm in {Arm.READ, Arm.SENTINEL}]
    of_case = component_names(campaign, [member.case for member in members])
    taken = {of_case[member.case.key] for member in members if member.stage_id is not None}
    free = [member for member in members if member.stage_id is None]
    for member in free:
        if of_case[member.case.key] in taken:
            member.arm, member.reason = Arm.SET_ASIDE, "shares a patient with an earlier stage"
    free = [member for member in free if member.arm is Arm.READ]
    drawn = set(drawings(session, campaign.id)) if stage.definition.with_drawing and n_cases is None else None
    chosen = _chosen({m.case.key: of_case[m.case.key] for m in free}, drawn, n_cases, campaign.definition.seed)
    if not chosen:
        msg = f"Stage {stage.address} would have no case: {len(free)} films are left, {len(drawn or ())} have drawings."
        raise StateError(msg, hint="Run `overread ingest` and `overread import-masks`, or open it with `--cases N`.")
    for member in free:
        if of_case[member.case.key] not in chosen:
            continue
        if drawn is None or member.case.key in drawn:
            member.stage_id = stage.id
        else:
            member.arm, member.reason = Arm.SET_ASIDE, f"shares a patient with stage {stage.name}, but has no drawing"


def take_late(session: Session, stage: Stage) -> list[CampaignCase]:
    """Give an open stage the films that were ingested since it opened and that no stage has.

    Where the stage has drawings and is read already, only those with one: others cannot be proposed for. A film whose
    patient another stage has is set aside, and so is one of a sentinel's patient: nothing may learn from it, and late
    films are never sentinels, which are drawn before any is read.
    """
    enrol(session, stage.campaign)
    members = _members(session, stage.campaign)
    of_case = component_names(stage.campaign, [member.case for member in members])
    taken = {of_case[member.case.key] for member in members if member.stage_id not in {None, stage.id}}
    sentinels = {of_case[member.case.key] for member in members if member.arm is Arm.SENTINEL}
    free = [member for member in members if _is_late(member, stage)]
    is_drawn_here = stage.rounds[-1].state is RoundState.DRAWING or not stage.definition.with_drawing
    drawn = None if is_drawn_here else set(drawings(session, stage.campaign_id))
    late = []
    for member in free:
        if of_case[member.case.key] in taken:
            member.arm, member.reason = Arm.SET_ASIDE, "shares a patient with another stage"
        elif of_case[member.case.key] in sentinels:
            member.arm, member.reason = Arm.SET_ASIDE, "shares a patient with a sentinel"
        elif drawn is None or member.case.key in drawn:
            member.stage_id = stage.id
            late.append(member)
    session.flush()
    return late


def _is_late(member: CampaignCase, stage: Stage) -> bool:
    is_free = member.arm is Arm.READ and member.stage_id is None
    return is_free and stage.opened_at is not None and member.case.created_at > stage.opened_at


def draw_sentinels(session: Session, stage: Stage) -> None:
    """Make a random share of a stage's components its sentinels, rounded up: drawn before any candidate exists."""
    query = select(CampaignCase).where(CampaignCase.stage_id == stage.id, CampaignCase.arm == Arm.READ)
    members = session.scalars(query.order_by(CampaignCase.case_id)).all()
    names = sorted({member.component for member in members})
    n_drawn = ceil(stage.definition.study.sentinel_share * len(names))
    np.random.default_rng([stage.campaign.definition.seed, stage.position]).shuffle(names)
    for member in members:
        if member.component in names[:n_drawn]:
            member.arm = Arm.SENTINEL


def component_names(campaign: Campaign, rows: Sequence[CaseRow]) -> dict[str, str]:
    """What is never split: patients and near-duplicates, or, in the paper's plain mode (P25), single films."""
    grouped = campaign.definition.group_by_patient
    return {row.key: row.component if grouped else row.key for row in rows}


def _chosen(of_case: Mapping[str, str], drawn: set[str] | None, n_cases: int | None, seed: int) -> set[str]:
    if n_cases is not None:
        return sample_components(of_case, n_cases, seed=seed)
    return {component for key, component in of_case.items() if drawn is None or key in drawn}


def _first_folds(
    session: Session, campaign: Campaign, rows: Sequence[CaseRow], placed: Mapping[str, str]
) -> dict[str, int]:
    drawn = drawings(session, campaign.id)
    strata = {row.key: DRAWN if row.key in drawn else str(row.case_class) for row in rows}
    definition = campaign.definition
    required = {DRAWN} if drawn else {str(CaseClass.INFECTION)}
    return assign_folds(placed, strata, n_folds=definition.n_folds, seed=definition.seed, required=required)


def _arm(row: CaseRow) -> tuple[Arm, str]:
    if row.view is View.LATERAL:
        return Arm.SET_ASIDE, "not a frontal film"
    return (Arm.CONTROL if row.case_class is CaseClass.NORMAL else Arm.READ), ""


def _candidates(session: Session) -> Sequence[CaseRow]:
    query = select(CaseRow).where(CaseRow.case_class != CaseClass.OTHER).order_by(CaseRow.key)
    return session.scalars(query).all()


def _members(session: Session, campaign: Campaign) -> Sequence[CampaignCase]:
    return session.scalars(select(CampaignCase).where(CampaignCase.campaign_id == campaign.id)).all()


def _of(keys: Mapping[str, object], of_case: Mapping[str, str]) -> dict[str, str]:
    return {key: of_case[key] for key in keys}
