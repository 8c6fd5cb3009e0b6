"""Mask files to masks: of infection and of lungs alike."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from db.domain.errors import InputError
from db.domain.mask import Mask
from pipelines.compile.films import open_picture, read_bounded

N_VALUES = 2
"""Outside and inside."""


@dataclass(frozen=True)
class MaskFile:
    """A file that should hold a mask, and how messages speak of it.

    called: what the mask is called. inside: what its larger value means. verb: the command that took it.
    """

    path: Path
    called: str
    inside: str
    verb: str


def read_mask(file: MaskFile, height: int, width: int) -> Mask:
    """The mask in a file, bool [height, width]: any two values, the larger for what is inside; all 0 is empty.

    Raises
    ------
    InputError
        If the file is damaged, of another size than the film's `height` and `width`, or not of two values.
    """
    picture = open_picture(read_bounded(file.path), file.path.name)
    if picture.size != (width, height):
        msg = f"{file.called} is {picture.width}x{picture.height}, its film is {width}x{height}."
        raise InputError(msg, hint=f"Export the mask at the film's size and run `overread {file.verb}` again.")
    values = np.asarray(picture if picture.mode in {"1", "L"} or picture.mode.startswith("I") else picture.convert("L"))
    levels = np.unique(values)
    if len(levels) > N_VALUES:
        msg = f"{file.called} has {len(levels)} values; two are allowed, the larger for {file.inside}."
        raise InputError(msg, hint="Export it without smoothing, grey levels or classes.")
    if len(levels) == 1 and levels[0] != 0:
        msg = f"{file.called} is {levels[0]} everywhere; what is outside cannot be told."
        raise InputError(msg, hint="An empty mask is 0 everywhere; none covers its film to the last pixel.")
    return values > levels[0] if len(levels) == N_VALUES else np.zeros(values.shape, np.bool_)
