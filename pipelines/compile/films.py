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

MAX_PIXELS = 80_000_000
"""A film of 43 x 43 cm at 20 pixels a millimetre; more is refused before it is decoded."""

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
    film = read_dicom(path) if is_dicom(path) else upright_grey(open_picture(path), path.name)
    if min(film.shape) < MIN_SIDE_PX:
        msg = f"{path.name} is {film.shape[1]}x{film.shape[0]}; a film has at least {MIN_SIDE_PX} pixels a side."
        raise InputError(msg, hint="A thumbnail is no film: take the original.")
    if film.min() == film.max():
        msg = f"{path.name} is blank: every pixel is {film.min()}."
        raise InputError(msg, hint="Export the film again.")
    return film


def open_picture(path: Path) -> ImageFile:
    """The decoded picture of one page in a PNG, JPEG or TIFF file, its size checked before its pixels are read.

    Raises
    ------
    InputError
        If it is none of these, damaged, too large or of several pages.
    """
    data = path.read_bytes()
    decoder = next((decoder for magic, decoder in _PICTURES.items() if data.startswith(magic)), None)
    if decoder is None:
        msg = f"{path.name} is not a PNG, JPEG or TIFF file, whatever its name says."
        raise InputError(msg, hint="Export the film again, as PNG.")
    try:
        picture = decoder(io.BytesIO(data))
        n_pages = getattr(picture, "n_frames", 1)
        _check_header(picture, path.name, n_pages)
        picture.load()
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - on damaged files Pillow's decoders raise whatever they stumble over
        msg = f"{path.name} is damaged: {error}."
        raise InputError(msg, hint="Export the film again.") from None
    return picture


def upright_grey(picture: ImageFile, name: str) -> Film:
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


def _check_header(picture: ImageFile, name: str, n_pages: int) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        msg = f"{name} is {width}x{height}; a film has at most {MAX_PIXELS // 1_000_000} million pixels."
        raise InputError(msg, hint="Scale it down before you ingest it.")
    if n_pages > 1:
        msg = f"{name} has {n_pages} pages; a film has one."
        raise InputError(msg, hint="Save each film as a file of its own.")
