"""How simulated readers differ.

Source: docs/simulation.md, "Simulated reader".
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReaderTraits:
    """Habits of one simulated reader; lengths are shares of the radius of the region that is drawn.

    boundary_bias: outlines too wide (positive) or too tight. vertex_jitter: how far a vertex strays.
    polygon_tolerance: how much detail straight edges skip. miss: chance to overlook a vanishingly small and faint
    region. false_region: chance to draw one where there is nothing. care: multiplies all of these while drawing; 1 is
    a busy reader, below 1 a careful one. mental_care: the same for what the reader has in mind while judging.
    deny_below: the lowest Dice with the mental mask that is still picked. choice_noise: standard deviation of the
    error in judging that Dice.
    """

    boundary_bias: float = 0.0
    vertex_jitter: float = 0.11
    polygon_tolerance: float = 0.13
    miss: float = 0.7
    false_region: float = 0.10
    care: float = 1.0
    mental_care: float = 0.6
    deny_below: float = 0.45
    choice_noise: float = 0.04


WIDE = ReaderTraits(boundary_bias=0.16, vertex_jitter=0.11, polygon_tolerance=0.13)
TIGHT = ReaderTraits(boundary_bias=-0.14, vertex_jitter=0.08, polygon_tolerance=0.10)
COARSE = ReaderTraits(boundary_bias=0.05, vertex_jitter=0.14, polygon_tolerance=0.17)

READERS = (WIDE, TIGHT, COARSE)
"""A reading room of three habits."""
