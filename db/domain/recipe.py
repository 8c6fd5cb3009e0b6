"""How networks are trained, whichever they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal, Self

from db.domain.errors import InputError

POSITIVE = ("input_size", "epochs", "batch_size", "learning_rate", "steps_per_epoch")


@dataclass(frozen=True)
class LossSpec:
    """The parameters of `ml_backend.losses.hybrid_loss`; the defaults are the paper's reading."""

    alpha: float = 0.25
    gamma: float = 2.0
    over: Literal["film", "batch"] = "film"
    smoothing: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe:
    """How a network is trained; the defaults are the paper's (P20 to P27).

    Attributes
    ----------
    input_size
        Side of the square that a film is brought to, in pixels.
    epochs, batch_size, steps_per_epoch
        Without `steps_per_epoch` an epoch takes every (balanced) training film once, up to filling the last batch.
    learning_rate, schedule
        Of Adam; `cosine` lets it fall from `learning_rate` to 0 over the whole training.
    augment, balance
        P26 and P27.
    """

    input_size: int = 224
    epochs: int = 50
    batch_size: int = 32
    steps_per_epoch: int | None = None
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine"] = "constant"
    augment: bool = True
    balance: bool = True
    loss: LossSpec = field(default_factory=LossSpec)

    def __post_init__(self) -> None:
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                msg = f"A training's {name} must be above 0; {value} was received."
                raise InputError(msg)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """From the plain values that `dataclasses.asdict` gives; InputError for a key that it does not know."""
        _check_keys(cls, values)
        loss = values.get("loss", {})
        _check_keys(LossSpec, loss)
        return cls(**{**values, "loss": LossSpec(**loss)})


def _check_keys(kind: type[TrainingRecipe] | type[LossSpec], values: Mapping[str, Any]) -> None:
    known = [entry.name for entry in fields(kind)]
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            msg = f"{kind.__name__} has no {name!r}."
            raise InputError(msg, hint=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}.")
