"""How a simulated reader chooses among candidates.

Source: docs/simulation.md, "Simulated reader".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from db.domain.errors import InputError
from db.domain.mask import Mask, dice
from db.domain.verdict import VerdictKind
from pipelines.simulate.traits import ReaderTraits


@dataclass(frozen=True)
class Choice:
    """A simulated verdict: pick, deny all or no infection; `index` is the picked candidate's, else None."""

    kind: VerdictKind
    index: int | None = None


def choose(rng: np.random.Generator, candidates: Sequence[Mask], mental: Mask, traits: ReaderTraits) -> Choice:
    """Judge candidates against the mask that the reader has in mind.

    No infection where the mind's mask is blank; else the candidate that seems most alike, unless even that one seems
    less alike than `traits.deny_below`: then all are denied.

    On a film whose truth is known, `mental` comes from `imagine(rng, truth, traits)`. On a real film it comes from
    `imagine(rng, reference, traits)`, where the reference is a radiologist's mask if there is one, else
    `consensus(candidates)`.

    WHAT VERDICTS ON REAL FILMS CAN AND CANNOT SHOW. They exercise every step of the protocol: picks, denials,
    redraws, locks, exports. They are not evidence about the film, the networks or the paper's claim. A consensus of the
    candidates rewards whatever most candidates share: with three machines and one drawing it leans to the
    machines by construction, it cannot see an error that all of them make, and a preference, a denied share or a
    gain in Dice taken from it says nothing. With a radiologist's mask as reference a verdict says which candidate is
    nearest to that one mask, not which one doctors would prefer. Wherever such figures are shown, say so.

    Parameters
    ----------
    candidates
        bool masks, each of the shape of `mental` [height, width].

    Raises
    ------
    InputError
        If there is no candidate, or one has another shape than `mental`.
    """
    _check(candidates, mental.shape)
    if not mental.any():
        return Choice(VerdictKind.NO_INFECTION)
    likeness = np.array([dice(candidate, mental) for candidate in candidates])
    seeming = likeness + rng.normal(0, traits.choice_noise, len(candidates))
    best = int(np.argmax(seeming))
    return Choice(VerdictKind.PICK, best) if seeming[best] >= traits.deny_below else Choice(VerdictKind.DENY_ALL)


def consensus(candidates: Sequence[Mask]) -> Mask:
    """Pixels that at least half of the candidates hold; where none has so many votes, those with the most.

    Blank only if every candidate is. It stands in for a truth nobody knows: read the warning at `choose`.
    """
    _check(candidates, candidates[0].shape if candidates else ())
    votes = np.sum(candidates, axis=0, dtype=np.uint8)
    needed = min((len(candidates) + 1) // 2, int(votes.max()))
    return np.asarray(votes >= max(1, needed))


def _check(candidates: Sequence[Mask], shape: tuple[int, ...]) -> None:
    if not candidates:
        msg = "A reader was asked to choose among no candidates."
        raise InputError(msg, hint="Give at least one mask.")
    if wrong := [candidate.shape for candidate in candidates if candidate.shape != shape]:
        msg = f"Candidates of shape {wrong[0]} cannot be compared with a mask of shape {shape}."
        raise InputError(msg, hint="Bring all masks to the film's size with `db.domain.mask.canonical_mask`.")
