"""What a comparison looks like: the film as an 8-bit picture, and its candidates as bare bits."""

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.artifacts import FAST_DEFLATE, Store
from db.domain.mask import canonical_grid_mask, pack

LONG_SIDE_PX = 2048
PERCENTILES = (0.5, 99.5)
"""Grey values of a 16-bit film that become black and white."""

PERCENTILE_STEP = 4
"""Every fourth row and column are enough to find the percentiles."""

N_FILMS = 32
N_MASKS = 512


@dataclass(frozen=True)
class MaskSource:
    """Where a candidate's pixels come from, and the size in pixels of its film."""

    digest: str
    is_map: bool
    height: int
    width: int


class Display:
    """Films and candidates ready to send; the last ones stay in memory.

    Every candidate passes through the same function, whatever its origin, and takes the same number of bytes.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.film = lru_cache(N_FILMS)(self._film)
        self.bits = lru_cache(N_MASKS)(self._bits)

    def _film(self, digest: str) -> bytes:
        return display_png(self._store.get_film(digest))

    def _bits(self, source: MaskSource) -> bytes:
        pixels = self._store.get_map(source.digest) if source.is_map else self._store.get_mask(source.digest)
        return pack(canonical_grid_mask(pixels, source.height, source.width))


def display_png(film: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """An 8-bit grey PNG without metadata, its long side at most 2048 pixels.

    Parameters
    ----------
    film
        uint8 or uint16 [height, width]. 16-bit films are windowed by percentiles, 8-bit ones keep their values.
    """
    image = Image.fromarray(film if film.dtype == np.uint8 else _windowed(film.astype(np.uint16)))
    if max(image.size) > LONG_SIDE_PX:
        image.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX), Image.Resampling.BOX)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=FAST_DEFLATE)
    return buffer.getvalue()


def _windowed(film: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    black, white = np.percentile(film[::PERCENTILE_STEP, ::PERCENTILE_STEP], PERCENTILES)
    levels = (np.arange(2**16) - black) / max(white - black, 1) * 255
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    windowed: npt.NDArray[np.uint8] = table[film]
    return windowed
