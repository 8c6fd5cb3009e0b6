"""The errors that Overread raises on purpose.

Each class has a stable `code` that clients may test, the HTTP status of an answer and the exit status of a
command. A message says what failed, what was received, what is allowed; the hint says what to do next. Neither
ever holds a patient's identifier.
"""

from typing import ClassVar


class OverreadError(Exception):
    """Root of every error that a user of Overread is meant to read."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class InputError(OverreadError):
    """What was handed in is not acceptable."""

    code = "input"
    http_status = 400
    exit_status = 2


class NotAllowedError(OverreadError):
    """The account may not do this."""

    code = "not_allowed"
    http_status = 403
    exit_status = 3


class NotFoundError(OverreadError):
    """The thing that was named does not exist."""

    code = "not_found"
    http_status = 404
    exit_status = 4


class StateError(OverreadError):
    """The thing exists, but this is not possible in its present state."""

    code = "state"
    http_status = 409
    exit_status = 5


class ExternalError(OverreadError):
    """Something outside Overread failed: a disk, a server, a child process."""

    code = "external"
    http_status = 502
    exit_status = 6


class InvariantError(OverreadError):
    """A rule that must always hold does not: a bug. Never caught."""

    code = "invariant"
    http_status = 500
    exit_status = 70
