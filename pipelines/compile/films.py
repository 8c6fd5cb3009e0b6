"""Film files to grey pixels. Every format's reader has its room here."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from db.domain.errors import InputError

Film = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

MAX_PIXELS = 80_000_000
"""A film of 43 x 43 cm at 20 pixels a millimetre; more is refused before it is decoded."""

MIN_SIDE_PX = 32
DEEP_MODES = frozenset({"I;16", "I;16B", "I;16L", "I"})
PHOTOMETRIC_TAG = 262
WHITE_IS_ZERO = 0


def decode(path: Path) -> Film:
    """The film in a PNG, JPEG or TIFF file: uint8 or uint16 [height, width], bright where dense.

    Colour becomes luminance, transparency is dropped, the camera's orientation is applied.

    Raises
    ------
    InputError
        If the file is no film: unknown format, truncated, too large or too small, several pages, one-bit, blank.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        msg = f"{path.name} is not a film file; {', '.join(sorted(READERS))} are read."
        raise InputError(msg, hint="Convert it to PNG.")
    film = reader(path)
    if min(film.shape) < MIN_SIDE_PX:
        msg = f"{path.name} is {film.shape[1]}x{film.shape[0]}; a film has at least {MIN_SIDE_PX} pixels a side."
        raise InputError(msg)
    if film.min() == film.max():
        msg = f"{path.name} is blank: every pixel is {film.min()}."
        raise InputError(msg)
    return film


def _read_picture(path: Path) -> Film:
    try:
        with Image.open(path) as picture:
            _check_header(picture, path.name)
            return _grey(picture, path.name)
    except UnidentifiedImageError:
        msg = f"{path.name} is not a readable {path.suffix.lstrip('.').upper()} file."
        raise InputError(msg, hint="Export the film again.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path.name, "over 178 million pixels") from None
    except (OSError, SyntaxError, ValueError) as error:
        msg = f"{path.name} is damaged: {error}."
        raise InputError(msg, hint="Export the film again.") from None


def _check_header(picture: Image.Image, name: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width}x{height}")
    if getattr(picture, "n_frames", 1) > 1:
        msg = f"{name} has {picture.n_frames} pages."  # type: ignore[attr-defined]  # only formats with pages have it
        raise InputError(msg, hint="Save each film as a file of its own.")
    if picture.mode == "1":
        msg = f"{name} has one bit a pixel; that is a mask, not a film."
        raise InputError(msg, hint="Masks come in with `overread import-masks`.")


def _too_large(name: str, size: str) -> InputError:
    msg = f"{name} has {size}; a film has at most {MAX_PIXELS // 1_000_000} million pixels."
    return InputError(msg, hint="Scale it down before you ingest it.")


def _grey(picture: Image.Image, name: str) -> Film:
    if picture.mode not in DEEP_MODES:
        upright = ImageOps.exif_transpose(picture)
        return np.asarray(upright if upright.mode == "L" else upright.convert("RGB").convert("L"))
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        msg = f"{name} has values from {values.min()} to {values.max()}; 0 to 65535 are read."
        raise InputError(msg, hint="Save it with 16 bits a pixel.")
    tags = getattr(picture, "tag_v2", {})
    deep = values.astype(np.uint16)
    return np.iinfo(np.uint16).max - deep if tags.get(PHOTOMETRIC_TAG) == WHITE_IS_ZERO else deep


def _refuse_dicom(path: Path) -> Film:
    msg = f"{path.name} is a DICOM file; this version reads PNG, JPEG and TIFF."
    raise InputError(msg, hint="Convert it to a 16-bit PNG without burned-in text.")


READERS: Mapping[str, Callable[[Path], Film]] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".tif", ".tiff"), _read_picture),
    ".dcm": _refuse_dicom,
}
