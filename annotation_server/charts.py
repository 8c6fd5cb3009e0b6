"""Charts as inline SVG, drawn on the server: no script, no style attribute, colours in site.css.

Every chart has a title and a description for those who hear the page; its figures stand in a table beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count
from math import ceil, isnan, log10, nan

from markupsafe import Markup, escape

WIDTH = 640
VALUE = 64
"""Room for figures on the right."""

CHARACTER = 7.8
"""Width of a letter of the names, about."""

LONGEST = 34
"""Letters of a name that are shown; the table beside has all."""

ROW = 26
AXIS = 24

_ids = count(1)


@dataclass(frozen=True)
class Bar:
    """One row: `value` is drawn, with `text` beside it; `of` is what it could become."""

    name: str
    value: float
    text: str
    of: float = nan


@dataclass(frozen=True)
class Point:
    """One row: a value with its interval, and what chance would give; nan where that is not known."""

    name: str
    value: float
    low: float
    high: float
    text: str
    chance: float = nan


def bar_chart(title: str, bars: Sequence[Bar]) -> Markup:
    """Bars from nothing, one below the other."""
    longest = max((one for bar in bars for one in (bar.value, bar.of) if not isnan(one)), default=0.0) or 1.0
    left = _left([bar.name for bar in bars])
    scale = (WIDTH - left - VALUE) / longest
    rows = []
    for i, bar in enumerate(bars):
        y = i * ROW
        rows.append(_text("name", left - 10, y + 17, bar.name[:LONGEST]))
        if not isnan(bar.of):
            rows.append(_rect("rest", left, y + 7, bar.of * scale, ROW - 14))
        rows.append(_rect("bar", left, y + 7, bar.value * scale, ROW - 14))
        rows.append(_text("value", WIDTH, y + 17, bar.text))
    told = "; ".join(f"{bar.name}: {bar.text}" for bar in bars)
    return _figure(title, told, len(bars) * ROW, rows)


def interval_chart(
    title: str, points: Sequence[Point], *, low: float = 0.0, high: float = 1.0, tell: Callable[[float], str] = str
) -> Markup:
    """Values with their intervals on one axis from `low` to `high`, whose marks `tell` names; chance as a tick."""
    left = _left([one.name for one in points])
    scale = (WIDTH - left - VALUE) / (high - low)

    def x(value: float) -> float:
        return left + (min(max(value, low), high) - low) * scale

    bottom = len(points) * ROW
    marks = [low + (high - low) * part / 4 for part in range(5)]
    rows = [_line("grid", x(mark), 0, x(mark), bottom) for mark in marks]
    rows += [_text("axis", x(mark), bottom + 16, tell(mark)) for mark in marks]
    for i, one in enumerate(points):
        y = i * ROW + ROW / 2
        rows.append(_text("name", left - 10, y + 4, one.name[:LONGEST]))
        if not isnan(one.chance):
            rows.append(_line("chance", x(one.chance), y - 9, x(one.chance), y + 9))
        if not (isnan(one.low) or isnan(one.high)):
            rows.append(_line("interval", x(one.low), y, x(one.high), y))
        if not isnan(one.value):
            rows.append(Markup('<circle class="point" cx="{:.1f}" cy="{:.1f}" r="4.5"/>').format(x(one.value), y))
        rows.append(_text("value", WIDTH, y + 4, one.text))
    told = "; ".join(f"{one.name}: {one.text}" for one in points)
    return _figure(title, told, bottom + AXIS, rows)


def day_chart(title: str, days: Sequence[date], counts: Mapping[str, Sequence[int]]) -> Markup:
    """For each name a row of columns, one a day, all on one scale."""
    highest = max((n for of_name in counts.values() for n in of_name), default=0) or 1
    left = _left(list(counts))
    height, wide = 40, (WIDTH - left - VALUE) / len(days)
    rows = []
    for i, (name, of_name) in enumerate(counts.items()):
        base = (i + 1) * height
        rows.append(_text("name", left - 10, base - 8, name[:LONGEST]))
        rows.append(_line("grid", left, base, WIDTH - VALUE, base))
        for day, n in enumerate(of_name):
            tall = n / highest * (height - 10)
            rows.append(_rect("bar", left + day * wide + wide * 0.1, base - tall, min(wide * 0.8, 24), tall))
        rows.append(_text("value", WIDTH, base - 8, f"{sum(of_name)}"))
    bottom = len(counts) * height
    rows += [
        _text("axis start", left, bottom + 16, f"{days[0]:%-d %b}"),
        _text("axis end", WIDTH - VALUE, bottom + 16, f"{days[-1]:%-d %b}"),
    ]
    told = f"{days[0]} to {days[-1]}, at most {highest} a day; " + "; ".join(
        f"{name}: {sum(of_name)}" for name, of_name in counts.items()
    )
    return _figure(title, told, bottom + AXIS, rows)


def reach(values: Sequence[float]) -> float:
    """An end of an axis, 1, 2 or 5 times a power of ten, that holds the values on both sides of nothing."""
    largest = max((abs(value) for value in values if not isnan(value)), default=0.0) or 1.0
    power: float = 10.0 ** ceil(log10(largest))
    return next(step * power for step in (0.1, 0.2, 0.5, 1.0) if step * power >= largest)


def _left(names: Sequence[str]) -> float:
    """Where rows begin, so that the names stand left of it."""
    return 10 + CHARACTER * min(LONGEST, max(map(len, names), default=0))


def _figure(title: str, told: str, height: float, parts: Sequence[Markup]) -> Markup:
    number = next(_ids)
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h:.0f}" role="img" aria-labelledby="chart-{n} chart-told-{n}">'
        '<title id="chart-{n}">{title}</title><desc id="chart-told-{n}">{told}</desc>{parts}</svg>'
    ).format(w=WIDTH, h=height, n=number, title=title, told=told, parts=Markup("").join(parts))


def _rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    shape = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"/>')
    return shape.format(kind, x, y, max(0.0, width), max(0.0, height))


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(kind, x1, y1, x2, y2)


def _text(kind: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, escape(text))
