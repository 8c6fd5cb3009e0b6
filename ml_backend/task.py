"""What a training child is asked to do, and where it leaves what it made. Importing this loads no Keras."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from db.domain.errors import InputError, InvariantError
from db.domain.network import NetworkSpec
from db.domain.recipe import TrainingRecipe
from ml_backend.data import PackedSet
from ml_backend.publishing import publish

TRAINING_VERSION = 1
"""Raise it by hand when the same spec and data would train to another result: every fold then trains anew."""


@dataclass(frozen=True)
class TrainingSpec(TrainingRecipe):
    """A network, the recipe that it is trained by, and where the training starts.

    `start` is the digest (sha256) of the safetensors file that it starts from: a pretext, or imported weights. None
    starts from random values.
    """

    network: NetworkSpec
    seed: int = field(default=0, kw_only=True)
    start: str | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, network: NetworkSpec, recipe: TrainingRecipe, *, seed: int = 0) -> Self:
        """The training of `network` by `recipe`, from random values."""
        return cls(network, seed=seed, **vars(recipe))

    def to_json(self) -> dict[str, Any]:
        """Plain values, the network by its name."""
        return asdict(self) | {"network": self.network.name}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; InputError for a key that it does not know."""
        return super().from_json({**values, "network": NetworkSpec.parse(values["network"])})


@dataclass(frozen=True)
class Fold:
    """One training: the cases that it learns from, and those whose probability maps are wanted afterwards."""

    name: str
    train: tuple[str, ...]
    targets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen = set(self.train) & set(self.targets)
        if seen:
            msg = f"Fold {self.name} would predict {len(seen)} cases that it trains on, among them {min(seen)}."
            raise InvariantError(msg)


@dataclass(frozen=True)
class TrainingTask:
    """One network and its folds; `data` is a file of `PackedSet`, `runs` the folder of all runs, `start` weights."""

    spec: TrainingSpec
    data: Path
    runs: Path
    folds: tuple[Fold, ...]
    start: Path | None = None

    def save(self, path: Path) -> None:
        """Write the task as JSON."""
        values = {
            "spec": self.spec.to_json(),
            "data": str(self.data),
            "runs": str(self.runs),
            "folds": [asdict(fold) for fold in self.folds],
            "start": str(self.start) if self.start else None,
        }
        with publish(path) as temporary:
            temporary.write_text(json.dumps(values, indent=1))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; InputError if it is not such a file."""
        try:
            values = json.loads(path.read_text())
            return cls(
                spec=TrainingSpec.from_json(values["spec"]),
                data=Path(values["data"]),
                runs=Path(values["runs"]),
                folds=tuple(Fold(f["name"], tuple(f["train"]), tuple(f["targets"])) for f in values["folds"]),
                start=Path(values["start"]) if values.get("start") else None,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{path.name} is not a training task: {error!r}"
            raise InputError(msg, hint="Write it with TrainingTask.save.") from None

    def run_folders(self, packed: PackedSet) -> Iterator[tuple[Fold, "RunFolder"]]:
        """Each fold with the folder of its run."""
        for fold in self.folds:
            yield (fold, RunFolder(self.runs / key(self.spec, fold, packed.digest(fold.train))))

    def is_finished(self, packed: PackedSet) -> bool:
        """Whether every fold is trained and every target predicted, so that no child needs to start."""
        return all(
            folder.is_done and (not fold.targets or folder.predictions(packed, fold).exists())
            for fold, folder in self.run_folders(packed)
        )


@dataclass(frozen=True)
class RunFolder:
    """RUNS/<KEY>: everything about one trained fold. A marker, written last, says that the training is complete."""

    path: Path

    @property
    def key(self) -> str:
        """The KEY that names the run."""
        return self.path.name

    @property
    def checkpoint(self) -> Path:
        """The trained weights."""
        return self.path / "checkpoint.safetensors"

    @property
    def card(self) -> Path:
        """What the weights are and how they came about, as JSON."""
        return self.path / "card.json"

    @property
    def marker(self) -> Path:
        """Exists once checkpoint and card are complete."""
        return self.path / "done"

    @property
    def is_done(self) -> bool:
        """Whether the fold is trained."""
        return self.marker.exists()

    @property
    def state(self) -> Path:
        """Weights and optimizer after the last whole epoch, while training goes on."""
        return self.path / "epoch.safetensors"

    @property
    def lock(self) -> Path:
        """Held by the one process that works here."""
        return self.path / "lock"

    def predictions(self, packed: PackedSet, fold: Fold) -> Path:
        """The probability maps of the fold's targets, named by their keys and films."""
        return self.path / f"predictions-{packed.digest(fold.targets, with_masks=False)[:16]}.npz"


def key(spec: TrainingSpec, fold: Fold, data_digest: str) -> str:
    """The name of a training: sha256 of all that its result depends on.

    `data_digest` is that of the training cases alone (`PackedSet.digest`), and the targets do not count, so that a
    network is not trained anew because more films are to be predicted.
    """
    inputs = {
        "spec": spec.to_json(),
        "train": sorted(fold.train),
        "data": data_digest,
        "training_version": TRAINING_VERSION,
    }
    return hashlib.sha256(canonical_json(inputs).encode()).hexdigest()


def canonical_json(values: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def file_digest(path: Path) -> str:
    """sha256 of a file's content."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
