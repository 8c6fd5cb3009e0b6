"""How much the shape of a candidate tells of its maker, on real masks, before and after canonicalisation: a script.

`.venv/bin/python tests/benchmark/blindness.py --folder build/yardstick`, after `yardstick.py` with the same folder.

Radiologists' masks stand against the out-of-fold masks that networks made of the same films, all at the canonical grid.
A forest that sees features of shape only, cross-validated by patient, guesses which is which; an AUC of 0.5 is blind.
`native` masks were only brought to the grid; `canonical` ones are what readers see. Besides: what canonicalisation
costs, on discs and on the radiologists' masks.
"""

from pathlib import Path

import click
import numpy as np
from real_films import masked_films  # type: ignore[import-not-found]  # beside this script
from scipy import ndimage
from skimage import measure
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from db.domain.mask import GRID_PX, THRESHOLD, canonical_grid_mask, canonical_mask, dice, grid_shape, resample
from ml_backend.data import load_maps

FILM_MM = 400
"""Long side of a film; the real ones do not say theirs."""

N_TREES = 500
N_FOLDS = 5
N_RESAMPLES = 1000
DISCS_MM = (2, 3, 4, 5, 6, 8, 10)


def shape_features(mask):
    """What a careful eye could go by: sizes, holes, how long, ragged, straight and stepped the outline is."""
    regions = measure.regionprops(measure.label(mask))
    areas = np.array([region.area for region in regions])
    largest = regions[int(np.argmax(areas))]
    perimeter = measure.perimeter_crofton(mask)
    calm = ndimage.gaussian_filter(mask.astype(np.float32), 3) >= THRESHOLD
    contour = max(measure.find_contours(np.pad(mask, 1).astype(float), 0.5), key=len)
    steps = np.diff(contour, axis=0)
    angles = np.unwrap(np.arctan2(*steps.T))
    turns = np.abs(np.diff(angles))
    return [
        len(regions),
        areas.min(),
        areas.max() / mask.sum(),
        mask.mean(),
        mask.sum() - ndimage.binary_fill_holes(mask).sum(),
        perimeter / np.sqrt(mask.sum()),
        largest.solidity,
        largest.eccentricity,
        measure.perimeter_crofton(calm) / perimeter,
        dice(mask, calm),
        turns.mean(),
        turns.std(),
        np.mean(turns == 0),
        np.abs(angles[4:] - angles[:-4]).mean(),
        np.abs(angles[16:] - angles[:-16]).mean() if len(angles) > 16 else 0,
    ]


def auc(masks, is_machine, patients):
    """The AUC of the cross-validated guess, and its 95 % interval over patients."""
    features = np.array([shape_features(mask) for mask in masks])
    guesses = np.empty(len(masks))
    for train, test in GroupKFold(N_FOLDS).split(features, is_machine, patients):
        forest = RandomForestClassifier(N_TREES, min_samples_leaf=2, random_state=0).fit(
            features[train], is_machine[train]
        )
        guesses[test] = forest.predict_proba(features[test])[:, 1]
    names, rng, found = np.unique(patients), np.random.default_rng(0), []
    for _ in range(N_RESAMPLES):
        rows = np.concatenate([np.flatnonzero(patients == name) for name in rng.choice(names, len(names))])
        found.append(roc_auc_score(is_machine[rows], guesses[rows]))
    return roc_auc_score(is_machine, guesses), *np.percentile(found, (2.5, 97.5))


def brought_to_grid(source, height, width):
    return resample(source.astype(np.float32), *grid_shape(height, width)) >= THRESHOLD


def report_shapes(folder):
    """One line for each network whose out-of-fold maps lie in the yardstick's folder."""
    films = {film.key: film for film in masked_films()}
    found: dict[str, dict[str, np.ndarray]] = {}
    for path in sorted((folder / "runs").glob("*/predictions-*.npz")):
        network = (path.parent / "card.json").read_text().split('"network": "')[1].split('"')[0]
        found.setdefault(network, {}).update(
            {key: one for key, one in load_maps(path).items() if key in films and (one >= THRESHOLD).any()}
        )
    for network, maps in found.items():
        keys = sorted(maps)
        sources = [films[key].mask for key in keys] + [maps[key] for key in keys]
        sizes = [films[key].mask.shape for key in keys] * 2
        patients = np.array([key.split("/")[0] for key in keys] * 2)
        is_machine = np.arange(len(sources)) >= len(keys)
        for name, make in (("native", brought_to_grid), ("canonical", canonical_grid_mask)):
            masks = [make(source, *size) for source, size in zip(sources, sizes, strict=True)]
            kept = np.array([mask.any() for mask in masks])
            value, low, high = auc([m for m in masks if m.any()], is_machine[kept], patients[kept])
            print(f"{network}, {name}: AUC {value:.2f} ({low:.2f} to {high:.2f}), {kept.sum()} masks", flush=True)


def report_budget():
    """What canonicalisation leaves of discs and of the radiologists' masks."""
    side = 2 * GRID_PX
    rows, columns = np.mgrid[:side, :side] + 0.5
    for diameter in DISCS_MM:
        radius, left = diameter / 2 * side / FILM_MM, []
        for shift in np.random.default_rng(0).uniform(-1, 1, (8, 2)):
            disc = np.hypot(rows - side / 2 - shift[0], columns - side / 2 - shift[1]) <= radius
            left.append(canonical_mask(disc, side, side).sum() / disc.sum())
        print(f"disc of {diameter} mm on a film of {FILM_MM} mm: {np.mean(left):.0%} of its area is left")
    n_lost = n_all = lost_area = area = 0
    agreement = []
    for film in masked_films():
        final = canonical_mask(film.mask, *film.mask.shape)
        labels, n = ndimage.label(film.mask)
        kept = np.unique(labels[final])
        sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
        lost = ~np.isin(np.arange(1, n + 1), kept)
        n_lost, n_all = n_lost + lost.sum(), n_all + n
        lost_area, area = lost_area + sizes[lost].sum(), area + sizes.sum()
        agreement.append(dice(film.mask, final))
    print(
        f"radiologists' masks: {n_lost} of {n_all} components lost, {lost_area / area:.3%} of the area; Dice of final "
        f"and drawn {np.mean(agreement):.4f}, at least {np.min(agreement):.4f}"
    )


@click.command()
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
def main(folder):
    """Report the budget, then the shapes."""
    report_budget()
    report_shapes(folder)


if __name__ == "__main__":
    main()
