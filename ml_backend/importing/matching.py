"""Whether a file holds every layer of an encoder, by name and shape."""

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from db.domain.errors import InputError
from ml_backend.importing import corpora
from ml_backend.importing.claims import Arrays
from ml_backend.importing.layouts import Renamed

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


def require_one_each(file: str, renamed: Renamed) -> dict[str, str]:
    """The file's one name of each variable.

    Raises
    ------
    InputError
        If the file holds a layer more than once; all of them are listed.
    """
    twice = [names for names in renamed.values() if len(names) > 1]
    if twice:
        msg = f"{file} holds layers more than once: {'; '.join(', '.join(names) for names in twice)}."
        raise InputError(msg, hint="Save the one network that is wanted.")
    return {variable: names[0] for variable, names in renamed.items()}


def require_every_layer(file: str, layout: str, wanted: Shapes, found: Arrays, unused: Shapes) -> None:
    """Raise InputError if a layer is missing or of another shape, or holds what is no number.

    All such layers are listed, and beside them what the file holds of no layer of the encoder (`unused`).
    """
    problems = defaultdict(list)
    for variable, shape in wanted.items():
        layer, _, part = variable.rpartition("/")
        if variable not in found:
            problems[layer].append(f"{part} {list(shape)} is missing")
        elif found[variable].shape != shape:
            problems[layer].append(f"{part} is {list(found[variable].shape)} instead of {list(shape)}")
        elif not np.isfinite(found[variable]).all():
            problems[layer].append(f"{part} has values that are not finite")
    if problems:
        n_layers = len({variable.rpartition("/")[0] for variable in wanted})
        layers = "".join(f"\n  {layer}: {', '.join(parts)}" for layer, parts in problems.items())
        rest = "".join(f"\n  {name} {list(shape)}" for name, shape in unused.items())
        msg = f"{file} does not fit {layout}: {len(problems)} of {n_layers} layers do not match.{layers}"
        msg += f"\nOf no layer of it are{rest}" if rest else ""
        raise InputError(msg, hint=f"Weights are known for {', '.join(corpora.DEFAULT)}.")
