"""Charts are SVG that a strict content policy lets through and that says its figures in words too."""

import re
from datetime import date
from math import nan
from xml.etree import ElementTree as ET

import pytest

from annotation_server.charts import Bar, Point, bar_chart, day_chart, interval_chart, reach

SCRIPT = "<script>alert(1)</script>"


def parsed(chart):
    return ET.fromstring(str(chart))  # noqa: S314 - drawn by ourselves


def of_kind(chart, kind):
    return [one for one in parsed(chart).iter() if one.get("class") == kind]


def test_bars_are_as_long_as_their_values():
    chart = bar_chart("Judged", [Bar("r1", 10, "10", of=40), Bar("r2", 20, "20")])
    first, second = (float(one.get("width")) for one in of_kind(chart, "bar"))
    (rest,) = of_kind(chart, "rest")
    assert second == pytest.approx(2 * first, abs=0.2)
    assert float(rest.get("width")) == pytest.approx(4 * first, abs=0.2)


def test_an_interval_lies_around_its_point_and_an_unknown_one_is_not_drawn():
    points = [Point("machine", 0.5, 0.25, 0.75, "50 %", chance=0.75), Point("denied", nan, nan, nan, "unknown")]
    chart = interval_chart("Preference", points)
    (line,), (point,), (chance,) = (of_kind(chart, kind) for kind in ("interval", "point", "chance"))
    x1, x2 = float(line.get("x1")), float(line.get("x2"))
    assert float(point.get("cx")) == pytest.approx((x1 + x2) / 2, abs=0.2)
    assert float(chance.get("x1")) == pytest.approx(x2, abs=0.2)


def test_days_stand_side_by_side_on_one_scale():
    chart = day_chart("Pace", [date(2026, 5, 1), date(2026, 5, 2)], {"r1": [1, 4], "r2": [0, 2]})
    heights = [float(one.get("height")) for one in of_kind(chart, "bar")]
    assert heights == pytest.approx([7.5, 30, 0, 15], abs=0.1)


def test_who_hears_the_page_hears_title_and_figures():
    chart = bar_chart("Judged", [Bar("r1", 10, "10 films")])
    root = parsed(chart)
    named = {one.get("id"): one.text for one in root if one.tag in {"title", "desc"}}
    assert root.get("role") == "img"
    assert [named[name] for name in root.get("aria-labelledby").split()] == ["Judged", "r1: 10 films"]


def test_nothing_in_a_chart_runs_or_carries_styles():
    chart = bar_chart(SCRIPT, [Bar(SCRIPT, 1, SCRIPT)])
    assert SCRIPT not in chart
    assert not re.search(r"<script|style=|\son\w+=", chart)


@pytest.mark.parametrize(("values", "end"), [([0.03, -0.11], 0.2), ([0.4], 0.5), ([0.9], 1), ([nan], 1), ([], 1)])
def test_an_axis_ends_at_a_round_number(values, end):
    assert reach(values) == pytest.approx(end)
