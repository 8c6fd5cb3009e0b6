"""Near-duplicates: one film encoded, resized, inverted or equalised anew. Two films of one patient are none.

A fingerprint is a thumbnail reduced to ranks, which any monotone change of grey leaves as they are, less its slow
shades, which all chests share. On 442 real films copies correlate above 0.999 and different films, serial ones of a
patient among them, below 0.73; phantoms, who have one anatomist, below 0.82. A cropped or locally equalised copy may
be missed. `tests/integration/test_ingest.py` measures it.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

SIDE_PX = 64
SHADE_PX = 3.0
"""Standard deviation of the Gaussian whose result counts as shade, in pixels of the thumbnail."""

SAME_FILM = 0.93
"""Correlation of fingerprints, of either sign, from which two films are one. Among unrelated films Fisher's z of the
largest correlation grows by 0.15 for ten times as many pairs, which reaches 0.86 with 20,000 films."""

BLOCK_ROWS = 4096
"""Known fingerprints compared at once: 64 MB as float32."""


def fingerprint(film: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> bytes:
    """What is compared: `SIDE_PX` squared signed bytes of any film [height, width]."""
    field = Image.fromarray(film.astype(np.float32))
    thumbnail = np.asarray(field.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
    ranks = _ranks(thumbnail)
    detail = ranks - ndimage.gaussian_filter(ranks, SHADE_PX)
    scale = np.iinfo(np.int8).max / max(float(np.abs(detail).max()), 1e-6)
    levels: npt.NDArray[np.int8] = np.rint(detail * scale).astype(np.int8)
    return levels.tobytes()


def find_duplicates(new: Sequence[bytes], known: Sequence[bytes]) -> list[tuple[int, int]]:
    """Pairs (index in `new`, index in `known`) of fingerprints of one film, sorted."""
    rows = _normalised(new)
    found = [
        (int(i), int(j) + start)
        for start, block in _blocks(known)
        for i, j in np.argwhere(np.abs(rows @ _normalised(block).T) >= SAME_FILM)
    ]
    return sorted(found)


def _blocks(fingerprints: Sequence[bytes]) -> Iterator[tuple[int, Sequence[bytes]]]:
    for start in range(0, len(fingerprints), BLOCK_ROWS):
        yield start, fingerprints[start : start + BLOCK_ROWS]


def _ranks(thumbnail: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The share of pixels below each pixel, 0..1; equal pixels share theirs."""
    _, place, counts = np.unique(thumbnail, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts / 2
    return below[place].reshape(thumbnail.shape) / thumbnail.size


def _normalised(fingerprints: Sequence[bytes]) -> npt.NDArray[np.float32]:
    rows = np.frombuffer(b"".join(fingerprints), np.int8).reshape(len(fingerprints), SIDE_PX**2).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    normalised: npt.NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6)
    return normalised
