"""What most verbs begin with."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from db.record import Record


def open_record() -> "Record":
    """The record that the settings name, brought up to date."""
    from db.record import Record

    return Record.open()
