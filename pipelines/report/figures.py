"""The report's drawings, as SVG in data URIs: no script, no file beside the page."""

import base64
import io
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from db.domain.agreement import Share
from db.domain.errors import InputError
from db.repository.figure_lines import FigureLine
from pipelines.report.estimates import Estimate
from pipelines.scores import LevelHistogram

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a939b",
    "axes.prop_cycle": "cycler('color', ['#0072b2', '#d55e00', '#009e73'])",
    "svg.hashsalt": "overread",
}
INK, QUIET, BAND = "#0072b2", "#8a939b", "#e3e8ec"
WIDTH_IN = 6.4


def draw_shares(shares: Mapping[str, Share], chance: Sequence[float]) -> str:
    """Machine shares with their intervals, over the band of what chance alone would give."""
    with rc_context(STYLE):
        figure, axes = _rows(list(shares), f"share of picks that went to a machine ({_band(chance)})")
        axes.axvspan(min(chance), max(chance), color=BAND, zorder=0)
        for row, share in enumerate(shares.values()):
            axes.errorbar(share.value, row, xerr=_reach(share.value, share.low, share.high), fmt="o", color=INK)
        axes.set_xlim(0, 1)
        return _uri(figure)


def draw_estimates(estimates: Mapping[str, Estimate], name: str) -> str:
    """Means in 0..1 with their intervals, a row each."""
    with rc_context(STYLE):
        figure, axes = _rows(list(estimates), name)
        for row, one in enumerate(estimates.values()):
            axes.errorbar(one.value, row, xerr=_reach(one.value, one.low, one.high), fmt="o", color=INK)
        axes.set_xlim(0, 1)
        axes.grid(axis="x", color=BAND)
        return _uri(figure)


def draw_lines(lines: Sequence[FigureLine]) -> str:
    """Shares with their intervals, a row each; chance, where it is known, as a tick."""
    with rc_context(STYLE):
        figure, axes = _rows([line.name for line in lines], "share of judgements (tick: chance alone)")
        for row, line in enumerate(lines):
            share = line.share
            axes.errorbar(share.value, row, xerr=_reach(share.value, share.low, share.high), fmt="o", color=INK)
            if isfinite(line.against):
                axes.plot([line.against] * 2, [row - 0.35, row + 0.35], color="#d55e00")
        axes.set_xlim(-0.02, 1.02)
        axes.grid(axis="x", color=BAND)
        return _uri(figure)


def draw_precision_recall(histograms: Mapping[str, LevelHistogram]) -> str:
    """Precision against sensitivity over all thresholds. Source: Fig. 6 (P38)."""
    with rc_context(STYLE):
        figure = Figure((4.2, 3.4), layout="constrained")
        axes = figure.subplots()
        for name, histogram in histograms.items():
            sensitivity, precision = precision_recall(histogram)
            axes.plot(sensitivity, precision, label=name)
        axes.set(xlabel="sensitivity", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(color=BAND)
        axes.legend(frameon=False)
        return _uri(figure)


def precision_recall(histogram: LevelHistogram) -> tuple[np.ndarray, np.ndarray]:
    """Sensitivity and precision at each level that some sample holds, from the highest threshold to the lowest.

    Raises
    ------
    InputError
        If no sample is positive.
    """
    held = histogram.n_at_level.sum(axis=0)[::-1] > 0
    false, true = np.cumsum(histogram.n_at_level[:, ::-1], axis=1)[:, held]
    if not true.size or not true[-1]:
        msg = "Precision and recall need positive samples; there are none."
        raise InputError(msg)
    return true / true[-1], true / (true + false)


def _rows(names: Sequence[str], axis_name: str) -> tuple[Figure, Axes]:
    figure = Figure((WIDTH_IN, 0.7 + 0.28 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel(axis_name)
    axes.tick_params(axis="y", length=0)
    return figure, axes


def _reach(value: float, low: float, high: float) -> list[list[float]]:
    """Distances to both ends; an unknown interval draws none."""
    return [[max(0.0, end) if isfinite(end) else 0.0] for end in (value - low, high - value)]


def _band(chance: Sequence[float]) -> str:
    return f"grey: chance alone, {min(chance):.0%} to {max(chance):.0%}"


def _uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
