"""Folders of results that appear whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from db.domain.errors import InputError


def check_target(folder: Path) -> None:
    """Raise InputError if `folder` holds something already, or is a file."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} is not an empty folder."
        raise InputError(msg, hint="Name a new folder: results never mix with what is there.")


@contextmanager
def publish_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block ends without an error, and else leaves no trace.

    Raises
    ------
    InputError
        If `folder` holds something already, or is a file.
    """
    check_target(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=".new-") as box:  # on the same disk, so that a rename is enough
        made = Path(box) / folder.name
        made.mkdir()
        yield made
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
