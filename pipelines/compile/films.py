"""Film files to grey pixels. Every format's reader has its room here; a file is what its first bytes say."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION, TiffImageFile

from db.domain.errors import InputError
from pipelines.compile.dicom import is_dicom, read_dicom

Film = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

FILM_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm"})

MAX_PIXELS = 64_000_000
"""A film of 40 x 40 cm at 20 pixels a millimetre; more is refused before it is decoded."""

MAX_FILE_BYTES = 6 * MAX_PIXELS
"""The largest film in 16-bit colour without compression."""

MIN_SIDE_PX = 32

WHITE_IS_ZERO = 0

_PICTURES: dict[bytes, Callable[[io.BytesIO], ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
}
"""First bytes -> Pillow's decoder. Pillow's forty others never see a file; its own limit on the size, which is
global, gives way to `MAX_PIXELS`."""

_GREY_MODES = {"L", "LA", "La", "I;16", "I;16B", "I;16L"}
_COLOUR_MODES = {"RGB", "RGBA", "RGBa", "RGBX"}
_REFUSED_MODES = {
    "1": "holds one bit a pixel: a mask, not a film",
    "P": "holds palette colours",
    "PA": "holds palette colours",
    "I": "holds signed or 32-bit values",
    "F": "holds floating-point values",
}


def decode(path: Path) -> Film:
    """The film in a PNG, JPEG or TIFF file: uint8 or uint16 [height, width], bright where dense.

    Colour becomes luminance (ITU-R 601, at 8 bits even where the file has 16), transparency shows black, the stored
    orientation is applied, and a TIFF whose zero is white is inverted.

    Raises
    ------
    InputError
        If the file is no film: unknown format, damaged, too large or too small, of several pages, one-bit, palette or
        floating-point, blank.
    """
    data = read_bounded(path)
    film = (
        read_dicom(path.name) if is_dicom(data, path.name) else _upright_grey(open_picture(data, path.name), path.name)
    )
    if min(film.shape) < MIN_SIDE_PX:
        msg = f"{path.name} is {film.shape[1]}x{film.shape[0]}; a film has at least {MIN_SIDE_PX} pixels a side."
        raise InputError(msg, hint="A thumbnail is no film: take the original.")
    if film.min() == film.max():
        msg = f"{path.name} is blank: every pixel is {film.min()}."
        raise InputError(msg, hint="Export the film again.")
    return film


def read_bounded(path: Path) -> bytes:
    """The bytes of a file.

    Raises
    ------
    InputError
        If it cannot be read, or has more than `MAX_FILE_BYTES`.
    """
    try:
        n_bytes = path.stat().st_size
        if n_bytes <= MAX_FILE_BYTES:
            return path.read_bytes()
    except OSError as error:
        msg = f"{path.name} cannot be read: {error.strerror}."
        raise InputError(msg, hint="Check the file's permissions.") from None
    msg = f"{path.name} has {n_bytes} bytes; at most {MAX_FILE_BYTES} are read."
    raise InputError(msg, hint="Export it with compression.")


def open_picture(data: bytes, name: str) -> ImageFile:
    """The decoded picture of one page in a PNG, JPEG or TIFF file, its size checked before its pixels are read.

    Raises
    ------
    InputError
        If it is none of these, damaged, too large or of several pages.
    """
    decoder = next((decoder for magic, decoder in _PICTURES.items() if data.startswith(magic)), None)
    if decoder is None:
        msg = f"{name} is not a PNG, JPEG or TIFF file, whatever its name says."
        raise InputError(msg, hint="Export it again, as PNG.")
    try:
        picture = decoder(io.BytesIO(data))
        _check_header(picture, name)
        picture.load()
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - on damaged files Pillow's decoders raise whatever they stumble over
        msg = f"{name} is damaged: {error}."
        raise InputError(msg, hint="Export it again.") from None
    return picture


def _upright_grey(picture: ImageFile, name: str) -> Film:
    """The pixels of a picture as it is to be looked at: uint8 or uint16 [height, width].

    Raises
    ------
    InputError
        If its pixels are neither grey nor true colour.
    """
    if picture.mode not in _GREY_MODES | _COLOUR_MODES:
        what = _REFUSED_MODES.get(picture.mode, f"holds {picture.mode} colours")
        msg = f"{name} {what}; grey of 8 or 16 bits and RGB are read."
        raise InputError(msg, hint="Export the film as grey PNG. Masks come in with `overread import-masks`.")
    is_inverted = _is_deep(picture) and getattr(picture, "tag_v2", {}).get(PHOTOMETRIC_INTERPRETATION) == WHITE_IS_ZERO
    upright = ImageOps.exif_transpose(picture)
    if _is_deep(picture):
        film = np.asarray(upright).astype(np.uint16)
        return ~film if is_inverted else film  # Pillow inverts the 8-bit ones itself
    if "A" in upright.mode.upper():
        black = Image.new("RGBA", upright.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(black, upright.convert("RGBA"))
    return np.asarray(upright.convert("L"))


def _is_deep(picture: Image.Image) -> bool:
    return picture.mode.startswith("I;16")


def _check_header(picture: ImageFile, name: str) -> None:
    width, height = picture.size
    n_pages = getattr(picture, "n_frames", 1)
    if width * height > MAX_PIXELS:
        msg = f"{name} is {width}x{height}; at most {MAX_PIXELS // 1_000_000} million pixels are read."
        raise InputError(msg, hint="Scale it down first.")
    if n_pages > 1:
        msg = f"{name} has {n_pages} pages; one is allowed."
        raise InputError(msg, hint="Save each page as a file of its own.")
