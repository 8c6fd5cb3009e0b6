"""The figures of a round's study, as the dashboard shows them after the unblinding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan

from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.agreement import chance_machine_preferred
from db.repository.figure_lines import FigureLine, Unit, figure_lines
from db.repository.figures import study_figures
from pipelines.report.figures import draw_lines
from pipelines.report.reading import RoundReading


@dataclass(frozen=True)
class RoundStudy:
    """What a round's study measured, and how much of it is simulated.

    Attributes
    ----------
    strengths
        By Bradley-Terry, the strongest first.
    minutes
        A doctor's minutes for a mask on the sentinels: by reading and by drawing. None without sentinels.
    has_plan
        Whether what is computed was fixed and hashed before anybody read.
    """

    title: str
    lines: Sequence[FigureLine]
    strengths: Mapping[str, float]
    minutes: tuple[float, float] | None
    n_films: int
    n_phantoms: int
    n_readers: int
    n_simulated_readers: int
    has_plan: bool

    @cached_property
    def figure(self) -> str:
        """All shares with their intervals, and what chance would give."""
        return draw_lines([line for line in self.lines if line.unit is Unit.SHARE])


def find_study(session: Session, store: Store, reading: RoundReading) -> RoundStudy | None:
    """Measure a round; None while its stage is blind, or where nobody judged."""
    if not reading.is_unblinded or not reading.verdicts:
        return None
    stage, figures = reading.round.stage, study_figures(session, store, reading.round.id)
    n_machines = len(stage.definition.networks)
    chance = chance_machine_preferred(n_machines) if stage.definition.with_drawing else nan
    films = {one.comparison.case.key: one.comparison.case.simulated for one in reading.verdicts}
    return RoundStudy(
        title=reading.title,
        lines=figure_lines(figures, reading.preference, chance=chance),
        strengths=dict(sorted(figures.strengths.items(), key=lambda one: -one[1])),
        minutes=(figures.sentinel.reading_minutes, figures.sentinel.drawing_minutes) if figures.sentinel else None,
        n_films=len(films),
        n_phantoms=sum(films.values()),
        n_readers=len(reading.readers),
        n_simulated_readers=sum(reading.readers.values()),
        has_plan=stage.analysis_plan is not None,
    )
