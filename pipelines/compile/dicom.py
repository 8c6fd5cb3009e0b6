"""DICOM films: the room of their reader, which comes later. Until then they are recognised and refused."""

from typing import NoReturn

from db.domain.errors import InputError

PREAMBLE_BYTES = 128
MAGIC = b"DICM"


def is_dicom(data: bytes, name: str) -> bool:
    """Whether a file is DICOM by its content, or claims to be by its name."""
    return data[PREAMBLE_BYTES : PREAMBLE_BYTES + len(MAGIC)] == MAGIC or name.lower().endswith(".dcm")


def read_dicom(name: str) -> NoReturn:
    """Refuse the film.

    Raises
    ------
    InputError
        Always: headers carry identifiers, and pixels come in encodings, that this version cannot treat safely.
    """
    msg = f"{name} is a DICOM file; this version reads PNG, JPEG and TIFF, DICOM comes later."
    raise InputError(msg, hint="Convert it to a 16-bit PNG without burned-in text.")
