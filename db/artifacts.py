"""Content-addressed files: films, masks, probability maps.

A file is named by the sha256 of its bytes and never changes. It appears under its name only when it is whole: written
to a temporary name, flushed to the disk, renamed. A crash leaves at most a temporary file behind.
"""

import hashlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.domain.errors import InvariantError, NotFoundError
from db.domain.mask import Mask, ProbabilityMap

MAP_LEVELS = 65535
"""A stored probability map holds round(p * 65535)."""

FAST_DEFLATE = 1
"""zlib level of stored pictures: a fifth of the time of the default for a tenth more bytes."""


def write_atomically(path: Path, data: bytes) -> None:
    """Make `path` hold `data`, whole or not at all, even through a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


class Store:
    """The files under one folder, by the digest of their content."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        """Where the file of `digest` lies, there or not."""
        return self.root / digest[:2] / digest

    def put(self, data: bytes) -> str:
        """Store `data`; its digest. Storing the same bytes again changes nothing."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.path(digest).exists():
            write_atomically(self.path(digest), data)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of `digest`.

        Raises
        ------
        NotFoundError
            If the store does not hold them.
        """
        try:
            return self.path(digest).read_bytes()
        except FileNotFoundError:
            msg = f"The store has no file {digest[:12]}."
            raise NotFoundError(msg, hint="Run `overread doctor` to check the installation.") from None

    def put_film(self, film: npt.NDArray[np.uint8] | npt.NDArray[np.uint16]) -> str:
        """Store a grey film, 8 or 16 bit [height, width], as PNG."""
        return self.put(_png(Image.fromarray(film)))

    def get_film(self, digest: str) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
        """The film as it was stored: uint8 or uint16 [height, width]."""
        pixels = np.asarray(Image.open(io.BytesIO(self.get(digest))))
        return pixels if pixels.dtype == np.uint8 else pixels.astype(np.uint16)

    def put_mask(self, mask: Mask) -> str:
        """Store a mask [height, width] as PNG of one bit a pixel."""
        return self.put(_png(Image.fromarray(mask)))

    def get_mask(self, digest: str) -> Mask:
        """The mask, bool [height, width]."""
        return (
            np.asarray(Image.open(io.BytesIO(self.get(digest))).convert("L")) > 0
        )  # Pillow's own true is a byte of 255

    def put_map(self, probability: ProbabilityMap) -> str:
        """Store a probability map [height, width] as PNG of 16 bits a pixel."""
        if not (np.isfinite(probability).all() and probability.min() >= 0 and probability.max() <= 1):
            msg = "A probability map has values outside 0..1."
            raise InvariantError(msg)
        return self.put(_png(Image.fromarray(np.rint(probability * MAP_LEVELS).astype(np.uint16))))

    def get_map(self, digest: str) -> ProbabilityMap:
        """The probability map, float32 [height, width] in 0..1."""
        return np.asarray(Image.open(io.BytesIO(self.get(digest))), dtype=np.float32) / np.float32(MAP_LEVELS)


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=FAST_DEFLATE)
    return buffer.getvalue()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
