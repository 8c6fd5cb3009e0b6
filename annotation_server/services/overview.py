"""What the pages show of campaigns: where stages stand, how training and reading go.

Nothing here tells networks apart by what readers said of them before the stage is unblinded.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from statistics import median

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from annotation_server.services.claiming import Claimant, count_free, count_own
from annotation_server.services.coordinating import StageStatus, stage_status
from annotation_server.services.readiness import Check, stage_checks
from db.domain.campaign import Arm, RoundState, StageState
from db.domain.errors import NotAllowedError
from db.domain.study import SeatKind
from db.domain.verdict import VerdictKind
from db.models import (
    Account,
    Campaign,
    CampaignCase,
    CaseRow,
    Comparison,
    Job,
    Progress,
    Stage,
    Verdict,
    now,
)
from db.repository.judgements import UNBLINDED
from db.settings import Settings

LOG_LINES, LOG_BYTES = 200, 2**16


@dataclass(frozen=True)
class OpenStage:
    """A stage that a reader can read now, or draw in."""

    campaign: str
    stage: str
    is_drawn: bool
    n_decided: int
    n_left: int

    @property
    def n_total(self) -> int:
        """All that the reader has decided and may still decide."""
        return self.n_decided + self.n_left


@dataclass(frozen=True)
class ReaderProgress:
    """How far one reader is, by the verdicts that count; `is_simulated` marks one that is a program."""

    code: str
    is_simulated: bool
    n_decided: int
    n_denied: int
    n_unreadable: int
    median_visible_s: float


@dataclass(frozen=True)
class JobOverview:
    """A job with the progress of its parts."""

    job: Job
    parts: Sequence[Progress]


@dataclass(frozen=True)
class StageOverview:
    """A stage with its training, its reading, and what its next step needs; `is_drawn_here` asks for drawings."""

    name: str
    status: StageStatus
    training: JobOverview | None
    readers: Sequence[ReaderProgress]
    checks: Sequence[Check]
    is_drawn_here: bool

    @property
    def is_unblinded(self) -> bool:
        """Whether origins may be shown."""
        return self.status.state in UNBLINDED

    @property
    def n_judged(self) -> int:
        """Verdicts that count."""
        return sum(reader.n_decided for reader in self.readers)

    @property
    def n_denied(self) -> int:
        """Verdicts that denied every candidate."""
        return sum(reader.n_denied for reader in self.readers)


@dataclass(frozen=True)
class CampaignOverview:
    """A campaign at one moment; films are counted by arm."""

    name: str
    preset: str
    n_films: dict[str, int]
    n_simulated: int
    stages: Sequence[StageOverview]
    jobs: Sequence[JobOverview]


def open_stages(session: Session, account_id: int) -> list[OpenStage]:
    """The stages that a reader can read now, with the reader's own progress."""
    account = session.get_one(Account, account_id)
    query = select(Stage).where(Stage.state == StageState.OPEN).order_by(Stage.campaign_id, Stage.position)
    found = (_open_stage(session, stage, account) for stage in session.scalars(query) if stage.rounds)
    return [stage for stage in found if stage is not None]


def shows_phantoms(session: Session, stage: Stage) -> bool:
    """Whether any film of the stage is simulated, which its readers must be told."""
    phantoms = select(CampaignCase.case_id).join(CaseRow).where(CampaignCase.stage_id == stage.id, CaseRow.simulated)
    return session.scalar(phantoms.limit(1)) is not None


def campaign_overview(session: Session, campaign: Campaign) -> CampaignOverview:
    """Everything the dashboard shows of a campaign."""
    members = select(CampaignCase).where(CampaignCase.campaign_id == campaign.id).subquery()
    simulated = select(func.count()).select_from(members).join(CaseRow, CaseRow.id == members.c.case_id)
    return CampaignOverview(
        name=campaign.name,
        preset=campaign.definition.preset,
        n_films=_films(session, campaign.id),
        n_simulated=session.scalar(simulated.where(CaseRow.simulated)) or 0,
        stages=[_stage_overview(session, stage) for stage in campaign.stages],
        jobs=[job_overview(session, job) for job in _campaign_jobs(session, campaign.id)],
    )


def _open_stage(session: Session, stage: Stage, account: Account) -> OpenStage | None:
    """The stage to one reader; None where there is nothing to read or to draw, or others read it."""
    round_ = stage.rounds[-1]
    if round_.state not in {RoundState.DRAWING, RoundState.READING}:
        return None
    try:
        reader = Claimant.enter(session, account, round_, now())
    except NotAllowedError:
        return None
    own = count_own(session, reader)
    n_left = own.n_own - own.n_decided + count_free(session, reader, own)
    is_drawn = round_.state is RoundState.DRAWING
    if is_drawn and not n_left + own.n_decided:
        return None
    return OpenStage(stage.campaign.name, stage.name, is_drawn, own.n_decided, n_left)


def _films(session: Session, campaign_id: int) -> dict[str, int]:
    query = select(CampaignCase.arm, func.count()).where(CampaignCase.campaign_id == campaign_id)
    counts = dict(session.execute(query.group_by(CampaignCase.arm)).all())
    n_ingested = session.scalar(select(func.count()).select_from(CaseRow)) or 0
    return {"ingested": n_ingested} | {arm.value.replace("_", " "): counts.get(arm, 0) for arm in Arm}


def _campaign_jobs(session: Session, campaign_id: int) -> Sequence[Job]:
    """The last job of each kind that belongs to no stage: benchmark, export."""
    last = select(func.max(Job.id)).where(Job.campaign_id == campaign_id, Job.round_id.is_(None)).group_by(Job.kind)
    return session.scalars(select(Job).where(Job.id.in_(last)).order_by(Job.id)).all()


def job_overview(session: Session, job: Job) -> JobOverview:
    """A job, and how far its parts are."""
    query = select(Progress).where(Progress.job_id == job.id).order_by(Progress.part)
    return JobOverview(job, session.scalars(query).all())


def log_tail(settings: Settings, job: Job) -> list[str]:
    """The last lines that a job's children wrote; none where there is no log here."""
    path = settings.job_log(job.id)
    if not path.is_file():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        text = file.read().decode(errors="replace")
    return text.splitlines()[-LOG_LINES:]


def _stage_overview(session: Session, stage: Stage) -> StageOverview:
    status = stage_status(session, stage)
    return StageOverview(
        name=stage.name,
        status=status,
        training=job_overview(session, status.job) if status.job else None,
        readers=_readers(session, stage.rounds[-1].id) if stage.rounds else [],
        checks=stage_checks(session, stage, status),
        is_drawn_here=stage.definition.with_drawing,
    )


def _readers(session: Session, round_id: int) -> list[ReaderProgress]:
    last = select(func.max(Verdict.id)).join(Comparison)
    last = last.where(Comparison.round_id == round_id, Comparison.kind == SeatKind.READING)
    query = (
        select(Account.code, Account.simulated, Verdict.kind, Verdict.visible_ms)
        .join(Verdict, Verdict.account_id == Account.id)
        .where(Verdict.id.in_(last.group_by(Verdict.comparison_id)))
        .order_by(Account.code)
    )
    rows = session.execute(query).all()
    return [_reader(code, simulated, list(own)) for (code, simulated), own in groupby(rows, key=itemgetter(0, 1))]


def _reader(code: str, simulated: bool, rows: Sequence[Row[str, bool, VerdictKind, int]]) -> ReaderProgress:  # noqa: FBT001 - a column
    kinds = Counter(kind for _, _, kind, _ in rows)
    return ReaderProgress(
        code=code,
        is_simulated=simulated,
        n_decided=len(rows),
        n_denied=kinds[VerdictKind.DENY_ALL],
        n_unreadable=kinds[VerdictKind.UNREADABLE],
        median_visible_s=median(visible_ms for *_, visible_ms in rows) / 1000,
    )
