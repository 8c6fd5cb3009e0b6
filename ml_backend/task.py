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

TRAINING_VERSION = 2
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
    def of(cls, network: NetworkSpec, recipe: TrainingRecipe, *, seed: int = 0, start: str | None = None) -> Self:
        """The training of `network` by `recipe`."""
        return cls(network, seed=seed, start=start, **vars(recipe))

    def to_json(self) -> dict[str, Any]:
        """Plain values, the network by its name."""
        return asdict(self) | {"network": self.network.name}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; InputError for a key that it does not know."""
        return super().from_json({**values, "network": NetworkSpec.parse(values["network"])})


@dataclass(frozen=True)
class Fold:
    """One training.

    Attributes
    ----------
    train
        The cases that the network learns from.
    targets
        Those whose probability maps are wanted afterwards.
    validation
        Those by which the best epoch is chosen; part of what the network has seen, so never among the targets.
    """

    name: str
    train: tuple[str, ...]
    targets: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for seen, said in ((set(self.train), "trains on"), (set(self.validation), "is chosen by")):
            if both := seen & set(self.targets):
                msg = f"Fold {self.name} would predict {len(both)} cases that it {said}, among them {min(both)}."
                raise InvariantError(msg)

    @property
    def seen(self) -> tuple[str, ...]:
        """All cases that have a say in the weights, sorted."""
        return tuple(sorted((*self.train, *self.validation)))


@dataclass(frozen=True)
class TrainingTask:
    """One network and its folds.

    Attributes
    ----------
    data
        A file of `PackedSet`.
    runs
        The folder of all runs.
    corpus
        What the films are, in words: whoever starts from the weights has to know what they saw (P19).
    start
        The file of the weights that the training starts from.
    """

    spec: TrainingSpec
    data: Path
    runs: Path
    folds: tuple[Fold, ...]
    corpus: str = ""
    start: Path | None = None

    def save(self, path: Path) -> None:
        """Write the task as JSON."""
        values = {
            "spec": self.spec.to_json(),
            "data": str(self.data),
            "runs": str(self.runs),
            "folds": [asdict(fold) for fold in self.folds],
            "corpus": self.corpus,
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
                folds=tuple(
                    Fold(name=fold.pop("name"), **{kind: tuple(keys) for kind, keys in fold.items()})
                    for fold in values["folds"]
                ),
                corpus=values["corpus"],
                start=Path(values["start"]) if values.get("start") else None,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{path.name} is not a training task: {error!r}"
            raise InputError(msg, hint="Write it with TrainingTask.save.") from None

    def run_folders(self, packed: PackedSet) -> Iterator[tuple[Fold, "RunFolder"]]:
        """Each fold with the folder of its run."""
        for fold in self.folds:
            yield (fold, RunFolder(self.runs / key(self.spec, fold, packed.digest(fold.seen))))


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
        """The trained weights that count: those of the best epoch where films were held out, else of the last."""
        return self.path / "checkpoint.safetensors"

    @property
    def best(self) -> Path:
        """The weights of the best epoch so far."""
        return self.path / "best.safetensors"

    @property
    def last(self) -> Path:
        """The weights of the last epoch."""
        return self.path / "last.safetensors"

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

    `data_digest` is that of the cases seen in training alone (`PackedSet.digest`), and the targets do not count, so
    that a network is not trained anew because more films are to be predicted.
    """
    inputs = {
        "spec": spec.to_json(),
        "train": sorted(fold.train),
        "validation": sorted(fold.validation),
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
