"""DICOM films: the room of their reader, which comes later. Until then they are recognised and refused."""

from pathlib import Path
from typing import NoReturn

from db.domain.errors import InputError

PREAMBLE_BYTES = 128
MAGIC = b"DICM"


def is_dicom(path: Path) -> bool:
    """Whether the file is DICOM by its content, or claims to be by its name."""
    with path.open("rb") as file:
        return file.read(PREAMBLE_BYTES + len(MAGIC))[PREAMBLE_BYTES:] == MAGIC or path.suffix.lower() == ".dcm"


def read_dicom(path: Path) -> NoReturn:
    """Refuse the film.

    Raises
    ------
    InputError
        Always: headers carry identifiers, and pixels of many encodings, that this version cannot treat safely.
    """
    msg = f"{path.name} is a DICOM file; this version reads PNG, JPEG and TIFF, DICOM comes later."
    raise InputError(msg, hint="Convert it to a 16-bit PNG without burned-in text.")
