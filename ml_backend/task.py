"""What a training child is asked to do, and where it leaves what it made. Importing this loads no Keras."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from db.domain.errors import InputError, InvariantError
from db.domain.network import NetworkSpec
from ml_backend.data import PackedSet
from ml_backend.publishing import publish

TRAINING_VERSION = 1
"""Raise it by hand when the same spec and data would train to another result: every fold then trains anew."""


@dataclass(frozen=True)
class LossSpec:
    """The parameters of `ml_backend.losses.hybrid_loss`; the defaults are the paper's reading."""

    alpha: float = 0.25
    gamma: float = 2.0
    over: Literal["film", "batch"] = "film"
    smoothing: float = 0.0


@dataclass(frozen=True)
class TrainingSpec:
    """How one network is trained; the defaults are the paper's recipe (P20 to P27).

    Attributes
    ----------
    network, input_size
        What `ml_backend.networks.build` makes, `input_size` in pixels.
    epochs, batch_size, steps_per_epoch
        Without `steps_per_epoch` an epoch takes every (balanced) training film once, up to filling the last batch.
    learning_rate, schedule
        Of Adam; `cosine` lets it fall from `learning_rate` to 0 over the whole training.
    augment, balance
        P26 and P27.
    start
        Digest (sha256) of the safetensors file that training starts from: a pretext, or imported weights. None starts
        from random values.
    """

    network: NetworkSpec
    input_size: int = 224
    epochs: int = 50
    batch_size: int = 32
    steps_per_epoch: int | None = None
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    augment: bool = True
    balance: bool = True
    loss: LossSpec = field(default_factory=LossSpec)
    seed: int = 0
    start: str | None = None

    def __post_init__(self) -> None:
        for name in ("input_size", "epochs", "batch_size", "learning_rate", "steps_per_epoch"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                msg = f"A training's {name} must be above 0; {value} was received."
                raise InputError(msg)

    def to_json(self) -> dict[str, Any]:
        """Plain values, the network by its name."""
        return asdict(self) | {"network": self.network.name}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; InputError for a key that it does not know."""
        _check_keys(cls, values)
        loss = values.get("loss", {})
        _check_keys(LossSpec, loss)
        return cls(**{**values, "network": NetworkSpec.parse(values["network"]), "loss": LossSpec(**loss)})


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


def _check_keys(kind: type[TrainingSpec] | type[LossSpec], values: Mapping[str, Any]) -> None:
    known = [entry.name for entry in fields(kind)]
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            msg = f"{kind.__name__} has no {name!r}."
            raise InputError(msg, hint=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}.")
