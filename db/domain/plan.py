"""What a training pass learns from, and for which films it then proposes."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Example:
    """A film to learn from with one of its masks; `mask_id` None stands for a normal film and its empty mask."""

    case: str
    mask_id: int | None


@dataclass(frozen=True)
class Split:
    """One network is trained on `examples` and asked about `targets`, none of which shares a component with them.

    `fold` is the campaign's fold that is left out, or None where the examples are disjoint from all targets anyway.
    """

    fold: int | None
    examples: tuple[Example, ...]
    targets: tuple[str, ...]
