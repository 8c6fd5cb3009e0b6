"""From the record to the page: gather what each section needs, then fill the template."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import isnan
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.artifacts import write_atomically
from db.domain.agreement import MANUAL, Share
from db.domain.campaign import NEXT_VERB
from db.domain.provenance import SOFTWARE_VERSION, MaskOrigin
from db.domain.verdict import VerdictKind
from db.models import Account, Campaign, CampaignCase, CaseRow, Comparison, MaskRow, Round, Stage, Verdict, now
from db.record import Record
from db.repository.cases import find_campaign
from db.repository.judgements import UNBLINDED
from pipelines.report import figures
from pipelines.report.estimates import Estimate
from pipelines.report.flow import FlowStep, Origin, find_flow, find_origins
from pipelines.report.measured import PAPER_DETECTION, PAPER_SEGMENTATION, PIXEL_METRICS, Measured, find_measured
from pipelines.report.pictures import CasePictures, find_pictures
from pipelines.report.provenance import (
    FoldSize,
    NetworkTraining,
    find_folds,
    find_trainings,
    find_versions,
)
from pipelines.report.reading import RoundReading, find_rounds
from pipelines.report.study import RoundStudy, find_study
from pipelines.scores import half_width

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Simulation:
    """How much of a campaign is simulated."""

    n_films: int
    n_phantoms: int
    n_readers: int
    n_simulated_readers: int

    @property
    def is_any(self) -> bool:
        """Whether anything is."""
        return bool(self.n_phantoms or self.n_simulated_readers)


@dataclass(frozen=True, eq=False)
class Report:
    """All that the template shows."""

    campaign: Campaign
    made_at: datetime
    simulation: Simulation
    flow: Sequence[FlowStep]
    origins: Sequence[Origin]
    rounds: Sequence[RoundReading]
    studies: Sequence[RoundStudy]
    measured: Measured | None
    pictures: Sequence[CasePictures]
    trainings: Sequence[NetworkTraining]
    folds: Sequence[FoldSize]
    versions: dict[str, str]

    @property
    def missing(self) -> dict[str, str]:
        """What is not done yet, and the command that is due."""
        due = {
            f"Stage {stage.name} is {stage.state}.": f"overread stage {NEXT_VERB[stage.state]} {stage.address}"
            for stage in self.campaign.stages
            if stage.state not in UNBLINDED
        }
        if self.measured is None:
            due["There is no finished benchmark."] = f"overread benchmark {self.campaign.name}"
        return due

    @cached_property
    def preference_figure(self) -> str | None:
        """Machine shares of the unblinded rounds that offered a drawing, against chance."""
        offered = [reading for reading in self.rounds if reading.is_unblinded and reading.preference.machine.n]
        if not offered:
            return None
        shares = {reading.title: reading.preference.machine for reading in offered}
        return figures.draw_shares(shares, [part for reading in offered for part in reading.chance.values()])

    @cached_property
    def truth_figure(self) -> str | None:
        """Dice against truth of each origin and of the final masks, round by round."""
        found = {
            f"{reading.title}: {'drawing' if name == MANUAL else name}": estimate
            for reading in self.rounds
            for name, estimate in reading.against_truth.items()
        }
        return figures.draw_estimates(found, "mean Dice against the truth") if found else None

    @cached_property
    def precision_recall_figure(self) -> str | None:
        """Precision against sensitivity of the three leading networks, on pixels."""
        if self.measured is None:
            return None
        histograms = {scores.network: scores.segmentation.pixels.histogram for scores in self.measured.leading}
        known = {name: one for name, one in histograms.items() if one.n_at_level[1].any()}
        return figures.draw_precision_recall(known) if known else None


def write_report(record: Record, campaign: str, path: Path) -> Path:
    """Write the report of `campaign` to `path`, whole or not at all; the path.

    Raises
    ------
    NotFoundError
        If there is no such campaign.
    """
    with record.database.read() as session:
        html = render_report(gather(session, record, find_campaign(session, campaign)))
    write_atomically(path, html.encode())
    return path


def gather(session: Session, record: Record, campaign: Campaign) -> Report:
    """Everything that the report of a campaign shows; its rows stay bound to the session."""
    measured = find_measured(session, record.store, campaign)
    rounds = find_rounds(session, record.store, campaign)
    studies = [find_study(session, record.store, reading) for reading in rounds]
    return Report(
        campaign=campaign,
        made_at=now(),
        simulation=_simulation(session, campaign),
        flow=find_flow(session, campaign),
        origins=find_origins(session, campaign),
        rounds=rounds,
        studies=[study for study in studies if study is not None],
        measured=measured,
        pictures=find_pictures(session, record.store, campaign, measured) if measured else [],
        trainings=find_trainings(session, campaign),
        folds=find_folds(session, campaign),
        versions=find_versions(session, campaign),
    )


def render_report(report: Report) -> str:
    """The page, complete in itself."""
    environment = Environment(
        loader=PackageLoader("pipelines"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"percent": percent, "decimal": decimal, "interval": interval, "span": span}
    constants: dict[str, Any] = {
        "metrics": PIXEL_METRICS,
        "paper_segmentation": PAPER_SEGMENTATION,
        "paper_detection": PAPER_DETECTION,
        "kinds": VerdictKind,
        "half_width": half_width,
        "version": SOFTWARE_VERSION,
    }
    return environment.get_template("report.html").render(report=report, **constants)


def percent(fraction: float, digits: int = 1) -> str:
    """A fraction in percent, or that it is unknown."""
    return UNKNOWN if isnan(fraction) else f"{100 * fraction:.{digits}f} %"


def decimal(value: float, digits: int = 3) -> str:
    """A number, or that it is unknown."""
    return UNKNOWN if isnan(value) else f"{value:.{digits}f}"


def interval(estimate: Estimate) -> str:
    """A mean with its interval."""
    return f"{decimal(estimate.value)} ({decimal(estimate.low)} to {decimal(estimate.high)})"


def span(share: Share) -> str:
    """A share with its interval, in percent."""
    return f"{percent(share.value)} ({percent(share.low)} to {percent(share.high)})"


def _simulation(session: Session, campaign: Campaign) -> Simulation:
    films = session.scalars(
        select(CaseRow.simulated).join(CampaignCase).where(CampaignCase.campaign_id == campaign.id)
    ).all()
    drew = select(MaskRow.account_id).where(
        MaskRow.campaign_id == campaign.id, MaskRow.origin != MaskOrigin.NETWORK, MaskRow.account_id.is_not(None)
    )
    judged = select(Verdict.account_id).join(Comparison).join(Round).join(Stage)
    judged = judged.where(Stage.campaign_id == campaign.id)
    readers = session.scalars(select(Account.simulated).where(Account.id.in_(drew) | Account.id.in_(judged))).all()
    return Simulation(len(films), sum(films), len(readers), sum(readers))
