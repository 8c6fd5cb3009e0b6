"""How networks are trained, whichever they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, Literal, Self, get_args

from db.domain.errors import InputError

POSITIVE = ("input_size", "epochs", "batch_size", "learning_rate", "steps_per_epoch", "patience", "n_views")

MAX_VIEWS = 7
"""Of test-time augmentation."""

Schedule = Literal["constant", "cosine"]
Augmented = Literal["none", "repeats", "all"]
Variation = Literal["paper", "wide"]
Precision = Literal["float32", "mixed_float16", "mixed_bfloat16"]
EncoderStart = Literal["imported", "random"]
Pretext = Literal["none", "phantoms", "phantom_lungs"]


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
    learning_rate, schedule, warmup_epochs
        Of Adam. `cosine` lets it fall from `learning_rate` to 0 over the whole training, epoch by epoch; before that
        it rises evenly over `warmup_epochs`.
    augment
        Which films are varied: `all`; `repeats`, the copies that balance the classes and no film itself, as in the
        paper; `none` (P26, P27).
    variation
        How they are: `paper`, shifted and rotated (P26); `wide`, besides mirrored, zoomed and exposed otherwise.
    balance
        Whether infected and other films are made equally many by repeating those of the smaller class (P27).
    precision
        Mixed precision computes in 16 bits and keeps the weights in 32: for GPUs.
    weights
        `imported`: the encoder starts from the weights that were imported for it, from random values where there are
        none. `random`: always from random values (P19).
    pretext, pretext_epochs
        What the network learns first, for so many epochs of the same recipe: the infection of phantom films, or their
        lungs. Phantoms are simulated and of no patient.
    validation_share, patience
        Share of the training components (patients) that are held out to choose the best epoch, whose weights are then
        used; training stops when it lies `patience` epochs back. The paper has no such share: its last epoch counts.
    n_views
        Test-time augmentation: how many views of a film, moved by a little, are predicted and averaged; 1 is the film
        as it is.
    """

    input_size: int = 224
    epochs: int = 50
    batch_size: int = 32
    steps_per_epoch: int | None = None
    learning_rate: float = 1e-4
    schedule: Schedule = "constant"
    warmup_epochs: int = 0
    augment: Augmented = "repeats"
    variation: Variation = "paper"
    balance: bool = True
    loss: LossSpec = field(default_factory=LossSpec)
    precision: Precision = "float32"
    weights: EncoderStart = "imported"
    pretext: Pretext = "none"
    pretext_epochs: int = 0
    validation_share: float = 0.0
    patience: int | None = None
    n_views: int = 1

    def __post_init__(self) -> None:
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                msg = f"A training's {name} must be above 0; {value} was received."
                raise InputError(msg)
        if self.n_views > MAX_VIEWS:
            msg = f"A training's n_views is at most {MAX_VIEWS}; {self.n_views} was received."
            raise InputError(msg)
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                msg = f"A training's {name} cannot be {getattr(self, name)!r}."
                raise InputError(msg, hint=f"Allowed: {', '.join(allowed)}.")
        if not 0 <= self.warmup_epochs < self.epochs:
            msg = f"A training of {self.epochs} epochs cannot have warmup_epochs {self.warmup_epochs}."
            raise InputError(msg, hint="Allowed is 0, or more but fewer than its epochs.")
        if not 0 <= self.validation_share < 1 or (self.patience and not self.validation_share):
            msg = f"Validation share {self.validation_share:g} with patience {self.patience} is not possible."
            raise InputError(msg, hint="The share is 0 or more and below 1; patience needs a share above 0, as 0.15.")
        if self.pretext_epochs < 0 or (self.pretext == "none") is not (self.pretext_epochs == 0):
            msg = f"Pretext {self.pretext} with {self.pretext_epochs} epochs is not possible."
            raise InputError(msg, hint="Set both `pretext` and `pretext_epochs`, or neither.")

    @property
    def pretext_recipe(self) -> Self:
        """How the pretext itself is trained: alike, but without a pretext of its own and with nothing held out."""
        return replace(
            self,
            pretext="none",
            pretext_epochs=0,
            epochs=self.pretext_epochs,
            warmup_epochs=0,
            validation_share=0.0,
            patience=None,
            n_views=1,
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """From the plain values that `dataclasses.asdict` gives; InputError for a key that it does not know."""
        _check_keys(cls, values)
        loss = values.get("loss", {})
        _check_keys(LossSpec, loss)
        return cls(**{**values, "loss": LossSpec(**loss)} | _augment_as_named(values))


CHOICES = {
    "schedule": get_args(Schedule),
    "augment": get_args(Augmented),
    "variation": get_args(Variation),
    "precision": get_args(Precision),
    "weights": get_args(EncoderStart),
    "pretext": get_args(Pretext),
}


def _augment_as_named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Campaigns of before the choice say true or false, and mean all films or none."""
    augment = values.get("augment")
    return {"augment": "all" if augment else "none"} if isinstance(augment, bool) else {}


def _check_keys(kind: type[TrainingRecipe] | type[LossSpec], values: Mapping[str, Any]) -> None:
    known = [entry.name for entry in fields(kind)]
    for name in values:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            msg = f"{kind.__name__} has no {name!r}."
            raise InputError(msg, hint=f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}.")
