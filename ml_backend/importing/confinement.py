"""What the process that reads a stranger's file may do: compute, and nothing else.

It is handed its input, its output and its error channel already open. Once confined it opens nothing more, starts
nothing and loads no further code; memory and time are limited. This is the second wall: the readers themselves never
run anything that a file names.
"""

import contextlib
import resource
import sys

MAX_MEMORY_BYTES = 6 << 30
MAX_OUTPUT_BYTES = 2 << 30
MAX_CPU_S = 60

LIMITS = {
    resource.RLIMIT_AS: MAX_MEMORY_BYTES,
    resource.RLIMIT_FSIZE: MAX_OUTPUT_BYTES,
    resource.RLIMIT_CPU: MAX_CPU_S,
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_NOFILE: 3,  # the three that are open: libraries written in C cannot open a file or socket either
}

ALLOWED_EVENTS = frozenset({"builtins.id", "sys.unraisablehook"})
"""Of Python's audit events those that reading arrays raises. Opening a file, importing, compiling are others."""


def confine() -> None:
    """Give up for good everything that reading arrays does not need. Called after the last import."""
    for kind, wanted in LIMITS.items():
        _, hard = resource.getrlimit(kind)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError):  # macOS maps more memory than this from the start, and refuses
            resource.setrlimit(kind, (limit, limit))
    sys.addaudithook(_refuse)


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event not in ALLOWED_EVENTS:
        msg = f"a confined process may not: {event}"
        raise PermissionError(msg)
