"""Where things come from: origins of masks, kinds of jobs, roles of accounts, and the out-of-fold certificate."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version

from db.domain.errors import InvariantError

SOFTWARE_VERSION = version("overread")


class MaskOrigin(StrEnum):
    """Who made a mask. Never leaves the server before its stage is unblinded.

    `FLAWED` are the masks of check and practice cases: a right one, without a parent, and its flawed copies.
    """

    DRAWING = "drawing"
    NETWORK = "network"
    TOUCH_UP = "touch_up"
    REDRAW = "redraw"
    EMPTY = "empty"
    SENTINEL = "sentinel"
    FLAWED = "flawed"


class JobKind(StrEnum):
    """Durable work."""

    TRAIN = "train"
    BENCHMARK = "benchmark"
    EXPORT = "export"
    INGEST = "ingest"


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """Whether the job waits or runs."""
        return self in JobState.active()

    @classmethod
    def active(cls) -> frozenset["JobState"]:
        """The states of a job that has not ended."""
        return frozenset({cls.QUEUED, cls.RUNNING})


class Role(StrEnum):
    """What an account may do."""

    READER = "reader"
    COORDINATOR = "coordinator"
    ENGINEER = "engineer"
    ADMIN = "admin"

    @property
    def manages(self) -> frozenset["Role"]:
        """The roles whose accounts it may invite and shut out."""
        return {Role.ADMIN: frozenset(Role), Role.COORDINATOR: frozenset({Role.READER})}.get(self, frozenset())


@dataclass(frozen=True)
class Certificate:
    """That no ancestor of a mask learned from its own component.

    `seen` are the keys of all cases that any checkpoint among the mask's ancestors was trained on.
    """

    case: str
    component: str
    seen: frozenset[str]

    def check(self, component_of: Mapping[str, str]) -> None:
        """Raise InvariantError if an ancestor saw the case's component (patient or near-duplicate)."""
        leaked = sorted(key for key in self.seen if component_of[key] == self.component)
        if leaked:
            msg = f"The mask of case {self.case} descends from a network that saw {', '.join(leaked)} of its component."
            raise InvariantError(msg, hint="The mask must not be offered; report this as a bug.")
