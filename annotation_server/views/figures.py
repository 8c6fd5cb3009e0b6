"""What the readers of a stage came to, in charts and tables: each chart has its table."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from flask import Blueprint, render_template
from markupsafe import Markup

from annotation_server import current
from annotation_server.auth import STAFF, allow
from annotation_server.charts import Bar, Point, bar_chart, day_chart, interval_chart, reach
from annotation_server.services.pacing import Pace
from annotation_server.services.preferring import stage_preference
from annotation_server.services.staffing import StageRoster
from db.repository.cases import find_stage
from db.repository.figure_lines import FigureLine, Unit
from db.repository.figures import LockedFigures

blueprint = Blueprint("figures", __name__, url_prefix="/campaigns/<name>/<stage>")


@dataclass(frozen=True)
class Section:
    """Figures that belong together, with their charts."""

    title: str
    lines: Sequence[FigureLine]
    charts: Sequence[Markup]

    @property
    def has_chance(self) -> bool:
        """Whether any of them is to be read against chance."""
        return any(line.chance for line in self.lines)


@blueprint.get("/preference")
@allow(STAFF)
def preference(name: str, stage: str) -> str:
    """What the readers of an unblinded stage preferred."""
    record = current.record()
    with record.database.read() as session:
        found = stage_preference(session, record.store, find_stage(session, f"{name}/{stage}"))
    return render_template(
        "preference.html", campaign=name, stage=stage, preference=found, sections=make_sections(found.lines)
    )


def make_sections(lines: Sequence[FigureLine]) -> list[Section]:
    """The lines group by group, with a chart for each unit in a group."""
    found = []
    for title, of_group in groupby(lines, lambda line: line.group):
        own = list(of_group)
        units = [list(of_unit) for _, of_unit in groupby(own, lambda line: line.unit)]
        found.append(Section(title, own, [_chart(title, of_unit) for of_unit in units]))
    return found


def roster_charts(roster: StageRoster, pace: Pace | None) -> dict[str, Markup]:
    """How far the readers of a stage are, how fast, and how long a case takes them; readers appear by code."""
    judged = [
        Bar(line.code, line.n_decided, str(line.n_decided), of=max(line.n_decided + line.n_open, line.quota or 0))
        for line in roster.lines
    ]
    times = [
        Bar(line.code, line.median_visible_s, f"{line.median_visible_s:.1f} s")
        for line in roster.lines
        if line.median_visible_s is not None and not line.is_simulated
    ]
    charts = {}
    if any(bar.value for bar in judged):
        charts["judged"] = bar_chart("Seats decided by each reader", judged)
    if times:
        charts["times"] = bar_chart("Median visible time of a case", times)
    if pace is not None:
        charts["pace"] = day_chart("Seats decided on each day", pace.days, pace.of_reader)
    return charts


def locked_section(figures: LockedFigures) -> Section:
    """What may be told of a locked stage: denials and agreement, of which nothing tells who made a mask."""
    shares = {"all readers": figures.denied, **figures.denied_of_reader}
    lines = [FigureLine("After the lock", f"all denied, {who}", share) for who, share in shares.items()]
    if figures.chosen_dice.n:
        lines.append(FigureLine("After the lock", "Dice between chosen masks", figures.chosen_dice, Unit.DICE))
    return make_sections([line for line in lines if line.share.n] or lines[:1])[0]


def _chart(title: str, lines: Sequence[FigureLine]) -> Markup:
    points = [Point(one.name, one.share.value, one.share.low, one.share.high, one.value, one.against) for one in lines]
    lows = [value for one in lines for value in (one.share.low, one.share.value)]
    low, high = 0.0, 1.0
    if lines[0].unit is Unit.DIFFERENCE:
        high = reach([*lows, *(one.share.high for one in lines)])
        low = -high
    elif any(value < 0 for value in lows):
        low = -1.0
    return interval_chart(f"{title}: {lines[0].unit.told}", points, low=low, high=high, tell=lines[0].tell)
