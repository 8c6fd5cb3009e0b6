"""The figures of a stage's study as the lines of one table: what the dashboard and the report both show."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import isnan, nan

from db.domain.agreement import Preference, Share
from db.repository.figures import StudyFigures


class Unit(StrEnum):
    """What a figure is counted in."""

    SHARE = "share"
    DICE = "dice"
    DIFFERENCE = "difference"
    COEFFICIENT = "coefficient"

    @property
    def told(self) -> str:
        """The unit in words."""
        return _WORDS[self]


_WORDS = {
    Unit.SHARE: "shares with 95 % intervals",
    Unit.DICE: "Dice with 95 % intervals",
    Unit.DIFFERENCE: "differences in Dice with 95 % intervals",
    Unit.COEFFICIENT: "coefficients with 95 % intervals",
}


@dataclass(frozen=True)
class FigureLine:
    """One figure with its interval.

    Attributes
    ----------
    against
        What chance alone would give; nan where that is not known.
    """

    group: str
    name: str
    share: Share
    unit: Unit = Unit.SHARE
    against: float = nan

    def tell(self, value: float) -> str:
        """A value of this line in its unit."""
        if isnan(value):
            return "unknown"
        if self.unit is Unit.SHARE:
            return f"{100 * value:.0f} %"
        return f"{value:+.3f}" if self.unit is Unit.DIFFERENCE else f"{value:.2f}"

    @property
    def value(self) -> str:
        """The figure."""
        return self.tell(self.share.value)

    @property
    def interval(self) -> str:
        """Its ends."""
        if isnan(self.share.low) or isnan(self.share.high):
            return "unknown"
        return f"{self.tell(self.share.low)} to {self.tell(self.share.high)}"

    @property
    def chance(self) -> str:
        """What it is to be read against; empty where nothing is known."""
        return "" if isnan(self.against) else self.tell(self.against)


def figure_lines(figures: StudyFigures, measured: Preference, *, chance: float = nan) -> list[FigureLine]:
    """All figures that rest on at least one judgement.

    Parameters
    ----------
    measured
        The preference of all plain readings.
    chance
        How often an indifferent reader picks a machine where networks err independently; nan without a drawing.
    """
    lines = [*_preference(figures, measured, chance), *_agreement(figures), *_sentinels(figures)]
    return [line for line in lines if line.share.n]


def _preference(figures: StudyFigures, measured: Preference, chance: float) -> Iterator[FigureLine]:
    yield FigureLine("Preference", "machine picked over drawing", measured.machine, against=chance)
    yield FigureLine("Preference", "machine picked of two panes", figures.pairs, against=0.5)
    if figures.own.machine.n and figures.others.machine.n:
        yield FigureLine("Preference", "machine, own drawing on offer", figures.own.machine, against=chance)
        yield FigureLine("Preference", "machine, another's drawing on offer", figures.others.machine, against=chance)
    if figures.with_left_out is not None:
        name = "machine, with readers left out"
        yield FigureLine("Preference", name, figures.with_left_out.machine, against=chance)
    yield FigureLine("Preference", "all denied", measured.denied)
    even = 1 / len(figures.origins) if figures.origins else nan
    for origin, share in sorted(figures.origins.items(), key=lambda one: -one[1].value):
        yield FigureLine("Picks by origin", origin, share, against=even)
    for kind, preference in figures.kinds.items():
        yield FigureLine("By kind of case", f"machine picked, {kind}", preference.machine, against=chance)
        yield FigureLine("By kind of case", f"all denied, {kind}", preference.denied)


def _agreement(figures: StudyFigures) -> Iterator[FigureLine]:
    yield FigureLine("Agreement", "Dice between chosen masks", figures.chosen_dice, Unit.DICE)
    yield FigureLine("Agreement", "Fleiss' kappa, by origin", figures.kappa, Unit.COEFFICIENT)
    yield FigureLine("Agreement", "Krippendorff's alpha, by origin", figures.alpha, Unit.COEFFICIENT)
    yield FigureLine("Consistency and care", "same choice when repeated", figures.repeats)
    yield FigureLine("Consistency and care", "check cases passed", figures.checks)
    for reader, share in figures.checks_of_reader.items() if len(figures.checks_of_reader) > 1 else ():
        yield FigureLine("Consistency and care", f"check cases passed, {reader}", share)


def _sentinels(figures: StudyFigures) -> Iterator[FigureLine]:
    if (found := figures.sentinel) is None:
        return
    yield FigureLine("Sentinels", "Dice of final and sentinel masks", found.final_to_sentinel, Unit.DICE)
    if found.gain is not None:
        yield FigureLine("Sentinels", "gain over drawing, Dice against truth", found.gain, Unit.DIFFERENCE, against=0.0)
    for network, flattery in found.flattery.items():
        yield FigureLine("Sentinels", f"flattery of {network}, Dice", flattery, Unit.DIFFERENCE, against=0.0)
