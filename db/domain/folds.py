"""Splits by component: films of one patient, and near-duplicates, never stand on two sides."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from db.domain.errors import InputError, StateError


def components(links: Sequence[tuple[str, str]], keys: Sequence[str]) -> dict[str, str]:
    """Connected components of `keys` under `links`; each is named by its smallest key."""
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for a, b in links:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return {key: root(key) for key in keys}


def assign_folds(
    component_of: Mapping[str, str],
    stratum_of: Mapping[str, str],
    *,
    n_folds: int,
    seed: int,
    required: Collection[str],
) -> dict[str, int]:
    """A fold 0..n_folds-1 for each case, by component, stratified as well as components allow.

    Raises
    ------
    InputError
        If a stratum in `required` has fewer components than folds. Other strata that small count with the largest.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 - a second of start-up that `--help` must not pay

    keys = sorted(component_of)
    n_components = _count_components(component_of, stratum_of)
    for stratum in sorted(required):
        _check_enough(stratum, n_components.get(stratum, 0), n_folds)
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    largest = max(n_components, key=n_components.__getitem__)
    strata = np.array([stratum_of[key] if n_components[stratum_of[key]] >= n_folds else largest for key in keys])
    groups = np.array([component_of[key] for key in keys])
    folds: dict[str, int] = {}
    for fold, (_, test) in enumerate(splitter.split(strata, strata, groups)):
        folds.update({keys[i]: fold for i in test})
    return folds


def extend_folds(
    folds: Mapping[str, int],
    component_of: Mapping[str, str],
    *,
    n_folds: int,
    seed: int,
) -> tuple[dict[str, int], dict[str, list[int]]]:
    """Folds for late films, and the conflicts.

    A late film inherits the fold of its component; a new component goes to the smallest fold. A late film that joins
    components of different folds cannot be placed: its component is returned among the conflicts with those folds.
    """
    seen: dict[str, set[int]] = {}
    for key, fold in folds.items():
        seen.setdefault(component_of[key], set()).add(fold)
    conflicts = {component: sorted(found) for component, found in seen.items() if len(found) > 1}
    late = sorted(key for key in component_of if key not in folds and component_of[key] not in conflicts)
    rng = np.random.default_rng(seed)
    sizes = np.bincount(list(folds.values()), minlength=n_folds).astype(float)
    placed: dict[str, int] = {}
    for key in late:
        component = component_of[key]
        if component not in seen:
            seen[component] = {int(np.argmin(sizes + rng.random(n_folds) * 0.5))}
        placed[key] = next(iter(seen[component]))
        sizes[placed[key]] += 1
    return placed, conflicts


def sample_components(component_of: Mapping[str, str], n_cases: int, *, seed: int) -> set[str]:
    """A random set of whole components with about `n_cases` cases: added in random order until reached.

    Raises
    ------
    StateError
        If there are fewer cases than asked for.
    """
    if n_cases > len(component_of):
        msg = f"{n_cases} cases were asked for, {len(component_of)} are there."
        raise StateError(msg, hint="Ask for fewer, or run `overread ingest` with more films.")
    sizes: dict[str, int] = {}
    for component in component_of.values():
        sizes[component] = sizes.get(component, 0) + 1
    names = sorted(sizes)
    np.random.default_rng(seed).shuffle(names)
    chosen: set[str] = set()
    n_chosen = 0
    for name in names:
        if n_chosen >= n_cases:
            break
        chosen.add(name)
        n_chosen += sizes[name]
    return chosen


def _count_components(component_of: Mapping[str, str], stratum_of: Mapping[str, str]) -> Counter[str]:
    return Counter(stratum for stratum, _ in {(stratum_of[key], component_of[key]) for key in component_of})


def _check_enough(stratum: str, n_components: int, n_folds: int) -> None:
    if n_components < n_folds:
        msg = f"{n_folds} folds need at least {n_folds} patients in {stratum!r}; {n_components} are there."
        raise InputError(
            msg,
            hint="Ingest films of more patients, or create the campaign with fewer `--folds`.",
        )
