"""The real films beside the checkout, as a packed set: those that radiologists masked, and normal ones."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from ml_backend.data import PackedSet, fit_film, fit_mask

FOLDER = Path(__file__).parents[3] / "shared" / "data"


def real_films(side_px):
    """44 films with infection masks and 63 normal ones at `side_px`; a key is its patient, a slash, and the film."""
    keys, films, masks = [], [], []
    cohen, nih = FOLDER / "cxr-cohen", FOLDER / "cxr-nih14"
    for row in rows(cohen / "index.csv"):
        if row["infection_mask"]:
            keys.append(f"cohen-{row['patient_id']}/{row['id']}")
            folder = cohen / row["folder"]
            films.append(fit_film(grey(folder / "images" / f"{row['id']}.png"), side_px))
            masks.append(fit_mask(grey(folder / "infection" / f"{row['id']}.png") > 0, side_px))
    for row in rows(nih / "labels.csv"):
        if row["file"].startswith("normal/"):
            keys.append(f"nih-{row['patient_id']}/{row['file']}")
            films.append(fit_film(grey(nih / row["file"]), side_px))
            masks.append(np.zeros((side_px, side_px), np.bool_))
    return PackedSet(tuple(keys), np.stack(films), np.stack(masks))


def rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def grey(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"))
