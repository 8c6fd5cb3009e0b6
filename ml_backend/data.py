"""Films and masks at a network's size, and the files that travel between processes. Importing this loads no Keras."""

import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from db.domain.errors import InputError, StateError
from db.domain.mask import THRESHOLD, Mask, ProbabilityMap, resample
from ml_backend.publishing import publish

Film = npt.NDArray[np.uint8]

MAP_LEVELS = np.iinfo(np.uint16).max
"""Probability maps are stored in steps of 1 / MAP_LEVELS; which pixels reach 0.5 survives exactly."""


def fit_film(film: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], size: int) -> Film:
    """The whole film squeezed into a square of `size` pixels, as a network takes it.

    Each axis is averaged over equal intervals where it shrinks and interpolated linearly where it grows; the aspect
    is not kept, so that nothing is cut off and a probability map covers the film again. 16 bit become 8.
    """
    grey = film.astype(np.float32) * (255.0 / np.iinfo(film.dtype).max)
    return np.rint(resample(grey, size, size)).astype(np.uint8)


def fit_mask(mask: Mask, size: int) -> Mask:
    """`mask` as `fit_film` treats its film: bool [size, size], infected where at least half of a pixel is."""
    return resample(mask.astype(np.float32), size, size) >= THRESHOLD


@dataclass(frozen=True, eq=False)
class PackedSet:
    """All films and masks of a training in one file.

    Attributes
    ----------
    keys
        The n cases.
    films
        uint8 [n, side, side] grey levels.
    masks
        bool [n, side, side]; empty for a film without infection, and for one that is only predicted.
    """

    keys: tuple[str, ...]
    films: Film
    masks: Mask

    def __post_init__(self) -> None:
        shape = (len(self.keys), *self.films.shape[-1:] * 2)
        if not self.films.shape == self.masks.shape == shape:
            msg = f"{len(self.keys)} cases came with films {self.films.shape} and masks {self.masks.shape}."
            raise InputError(msg, hint=f"Both must be {shape}.")
        if len(set(self.keys)) < len(self.keys):
            msg = "A case occurs twice in one packed set."
            raise InputError(msg)

    def save(self, path: Path) -> None:
        """Write the set as an uncompressed npz, at once or not at all."""
        with publish(path) as temporary, temporary.open("wb") as opened:
            np.savez(opened, keys=np.array(self.keys, np.str_), films=self.films, masks=self.masks)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; InputError if it is not such a file."""
        arrays = _load_npz(path, ("keys", "films", "masks"))
        return cls(tuple(arrays["keys"].tolist()), arrays["films"], arrays["masks"])

    def rows(self, keys: Iterable[str]) -> npt.NDArray[np.intp]:
        """Where the cases `keys` stand, in their order; InputError if one is not there."""
        row_of = {key: row for row, key in enumerate(self.keys)}
        try:
            return np.array([row_of[key] for key in keys], np.intp)
        except KeyError as error:
            msg = f"Case {error.args[0]} is not among the {len(self.keys)} cases of the packed set."
            raise InputError(msg, hint="Pack the set again with every case of the folds.") from None

    def digest(self, keys: Iterable[str], *, with_masks: bool = True) -> str:
        """sha256 over the named cases, whatever their order: their keys, films and, if asked for, masks."""
        content = hashlib.sha256(f"{self.films.shape[1:]}{with_masks}".encode())
        for row in self.rows(sorted(keys)):
            content.update(self.keys[row].encode() + b"\0")
            content.update(self.films[row].tobytes())
            if with_masks:
                content.update(np.packbits(self.masks[row]).tobytes())
        return content.hexdigest()


def save_maps(path: Path, keys: Sequence[str], maps: ProbabilityMap) -> None:
    """Write probability maps float32 [n, side, side] of the cases `keys`, at once or not at all.

    Raises
    ------
    StateError
        If a map is not finite: stored as whole numbers it would say that nothing is infected.
    """
    if not np.isfinite(maps).all():
        msg = f"Maps of {len(keys)} cases hold values that are no numbers: their network is broken."
        raise StateError(msg, hint="Train it again with a lower learning rate.")
    with publish(path) as temporary, temporary.open("wb") as opened:
        np.savez_compressed(opened, keys=np.array(keys, np.str_), maps=np.rint(maps * MAP_LEVELS).astype(np.uint16))


def load_maps(path: Path) -> dict[str, ProbabilityMap]:
    """The probability map float32 [side, side] of each case in a file of `save_maps`."""
    arrays = _load_npz(path, ("keys", "maps"))
    maps = arrays["maps"].astype(np.float32) / np.float32(MAP_LEVELS)
    return dict(zip(arrays["keys"].tolist(), maps, strict=True))


def _load_npz(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{path.name} is not a readable file with the arrays {', '.join(names)}: {error}"
        raise InputError(msg) from None
