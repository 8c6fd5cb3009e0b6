"""Campaign, stage and round: what they are made of, and which step follows which.

A campaign is the whole effort, a stage the paper's I or II, a round one train-and-propose pass inside a stage.
What a stage does (networks, candidates, threshold) is fixed by its definition before it opens.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from db.domain.errors import InputError, StateError
from db.domain.network import NetworkSpec
from db.domain.recipe import TrainingRecipe
from db.domain.study import OwnDrawing, SerialFilms, StudyDesign


class StageState(StrEnum):
    """Where a stage stands; each state is reached from the one before it only."""

    DRAFT = "draft"
    OPEN = "open"
    LOCKED = "locked"
    UNBLINDED = "unblinded"
    CLOSED = "closed"


class RoundState(StrEnum):
    """Where a round stands."""

    DRAWING = "drawing"
    TRAINING = "training"
    READING = "reading"
    DONE = "done"


class Arm(StrEnum):
    """What a film is for in a campaign."""

    READ = "read"
    CONTROL = "control"
    SENTINEL = "sentinel"
    SET_ASIDE = "set_aside"


SHOWS_IDENTIFIER = "shows an identifier"
WITHDRAWN = "withdrawn"

TAKEN_AWAY = frozenset({SHOWS_IDENTIFIER, WITHDRAWN})
"""Reasons for which a film is set aside that nobody may see any more."""


NEXT_VERB = {
    StageState.DRAFT: "open",
    StageState.OPEN: "lock",
    StageState.LOCKED: "unblind",
    StageState.UNBLINDED: "close",
}
"""The verb of `overread stage` that leaves each state."""

_STATES = list(StageState)


def advance(state: StageState, target: StageState, *, stage: str) -> StageState:
    """`target`, if it is the step after `state`.

    Raises
    ------
    StateError
        Otherwise; the hint is the command that is due.
    """
    if _STATES.index(target) != _STATES.index(state) + 1:
        verb = NEXT_VERB.get(state)
        hint = (
            f"Next is `overread stage {verb} {stage}`." if verb else "A closed stage stays closed; create a campaign."
        )
        msg = f"Stage {stage} is {state}, so it cannot become {target}."
        raise StateError(msg, hint=hint)
    return target


@dataclass(frozen=True)
class StageDefinition:
    """What a stage does. It cannot change once the stage is open: that would be a new stage.

    `with_drawing` puts the reader's own kind of mask, the manual one, among the candidates (stage I).
    """

    name: str
    networks: tuple[NetworkSpec, ...]
    with_drawing: bool
    recipe: TrainingRecipe
    readers_per_case: int = 1
    study: StudyDesign = field(default_factory=StudyDesign)

    def __post_init__(self) -> None:
        if not self.networks:
            msg = f"Stage {self.name} has no network."
            raise InputError(msg, hint="Name at least one, for example unet-small.")
        if len(set(self.networks)) != len(self.networks):
            msg = f"Stage {self.name} names a network twice."
            raise InputError(msg, hint="Candidates of one comparison come from different networks.")

    @property
    def n_candidates(self) -> int:
        """Masks in each comparison: constant within the stage (P17)."""
        return len(self.networks) + int(self.with_drawing)


@dataclass(frozen=True)
class CampaignDefinition:
    """Everything about a campaign that decides its result, apart from films and readers."""

    stages: tuple[StageDefinition, ...]
    n_folds: int = 5
    seed: int = 1
    group_by_patient: bool = True
    preset: str = "laptop"

    def __post_init__(self) -> None:
        if self.n_folds < 2:  # noqa: PLR2004 - cross-validation needs two sides
            msg = f"A campaign needs at least 2 folds, {self.n_folds} were asked for."
            raise InputError(msg, hint="The paper uses 5.")

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, networks by name."""
        return json.dumps(asdict(self, dict_factory=_plain), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`."""
        fields: dict[str, Any] = json.loads(text)
        stages = tuple(_stage(stage) for stage in fields.pop("stages"))
        return cls(stages=stages, **fields)

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON; every verdict carries it as the protocol version."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
    if {name for name, _ in items} == set(NetworkSpec.__dataclass_fields__):
        return {"network": NetworkSpec(**dict(items)).name}
    return dict(items)


def _stage(fields: dict[str, Any]) -> StageDefinition:
    networks = tuple(NetworkSpec.parse(network["network"]) for network in fields.pop("networks"))
    study = fields.pop("study", {})  # campaigns of older versions have none
    for name, kind in (("own_drawing", OwnDrawing), ("serial_films", SerialFilms)):
        if name in study:
            study[name] = kind(study[name])
    recipe = TrainingRecipe.from_json(fields.pop("recipe"))
    return StageDefinition(networks=networks, recipe=recipe, study=StudyDesign(**study), **fields)
