"""Phantom films and simulated readers: a truth that real films lack, for the demo and for tests of the protocol.

Whatever rests on them must say so where it is shown.
"""

from pipelines.simulate.drawing import care_for, draw, imagine
from pipelines.simulate.lesions import CONSPICUOUS, SUBTLE, Preset, set_lesions
from pipelines.simulate.phantom import Phantom, make_phantom
from pipelines.simulate.reader import Choice, choose, consensus
from pipelines.simulate.traits import COARSE, READERS, TIGHT, WIDE, ReaderTraits

__all__ = [
    "COARSE",
    "CONSPICUOUS",
    "READERS",
    "SUBTLE",
    "TIGHT",
    "WIDE",
    "Choice",
    "Phantom",
    "Preset",
    "ReaderTraits",
    "care_for",
    "choose",
    "consensus",
    "draw",
    "imagine",
    "make_phantom",
    "set_lesions",
]
