"""Which films went where: the flow diagram of a study, as counts."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.domain.campaign import Arm
from db.domain.study import SeatKind
from db.models import Campaign, CampaignCase, CaseRow, Comparison, FinalMask, Round


@dataclass(frozen=True)
class FlowStep:
    """A group of films; `depth` says how far inside the groups above it stands."""

    name: str
    n_films: int
    n_patients: int
    depth: int = 0

    @classmethod
    def of(cls, name: str, films: Iterable[CaseRow], *, depth: int = 0) -> "FlowStep":
        """The step of these films."""
        kept = list(films)
        return cls(name, len(kept), len({film.patient for film in kept}), depth)


@dataclass(frozen=True)
class Origin:
    """Films of one source and licence."""

    source: str
    licence: str
    case_class: str
    n_films: int
    n_patients: int


def find_flow(session: Session, campaign: Campaign) -> list[FlowStep]:
    """From the ingested films to the final masks; a step that no film reached is left out."""
    members = _members(session, campaign)
    steps = [
        FlowStep.of("Ingested", session.scalars(select(CaseRow))),
        FlowStep.of(f"In campaign {campaign.name}", (member.case for member in members)),
    ]
    for stage in campaign.stages:
        films = [member.case for member in members if member.stage_id == stage.id]
        steps.append(FlowStep.of(f"Stage {stage.name}", films, depth=1))
        sentinels = (member.case for member in members if member.stage_id == stage.id and member.arm is Arm.SENTINEL)
        steps.append(FlowStep.of("of these sentinels, drawn before any candidate existed", sentinels, depth=2))
        decided = _case_ids(session, stage.id, Comparison)
        final = _case_ids(session, stage.id, FinalMask)
        steps.append(FlowStep.of("judged", (film for film in films if film.id in decided), depth=2))
        steps.append(FlowStep.of("with a final mask", (film for film in films if film.id in final), depth=2))
    waiting = [member.case for member in members if member.arm is Arm.READ and member.stage_id is None]
    control = [member.case for member in members if member.arm is Arm.CONTROL]
    steps.append(FlowStep.of("To be read, in no stage yet", waiting, depth=1))
    steps.append(FlowStep.of("Control group", control, depth=1))
    aside: dict[str, list[CaseRow]] = defaultdict(list)
    for member in members:
        if member.arm is Arm.SET_ASIDE:
            aside[member.reason].append(member.case)
    steps += [FlowStep.of(f"Set aside: {reason}", films, depth=1) for reason, films in sorted(aside.items())]
    return [step for step in steps if step.n_films]


def find_origins(session: Session, campaign: Campaign) -> list[Origin]:
    """The campaign's films by source, licence and class."""
    groups: dict[tuple[str, str, str], list[CaseRow]] = defaultdict(list)
    for member in _members(session, campaign):
        case = member.case
        groups[case.source, case.licence, case.case_class].append(case)
    return [
        Origin(*names, n_films=len(films), n_patients=len({film.patient for film in films}))
        for names, films in sorted(groups.items())
    ]


def _members(session: Session, campaign: Campaign) -> list[CampaignCase]:
    query = select(CampaignCase).join(CaseRow).where(CampaignCase.campaign_id == campaign.id).order_by(CaseRow.key)
    return list(session.scalars(query))


def _case_ids(session: Session, stage_id: int, kind: type[Comparison] | type[FinalMask]) -> set[int]:
    query = select(kind.case_id).join(Round, Round.id == kind.round_id).where(Round.stage_id == stage_id)
    judged = query.where(Comparison.decided_at.is_not(None), Comparison.kind == SeatKind.READING)
    return set(session.scalars(judged if kind is Comparison else query))
