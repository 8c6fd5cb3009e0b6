"""The real films beside the checkout, as a packed set: those that radiologists masked, and normal ones."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ml_backend.data import PackedSet, fit_film, fit_mask

FOLDER = Path(__file__).parents[3] / "shared" / "data"


@dataclass(frozen=True)
class MaskedFilm:
    """A film with a radiologist's mask, both uint8 and bool [height, width]; a key is its patient and the film."""

    key: str
    film: np.ndarray
    mask: np.ndarray


def masked_films():
    """The films with infection masks, at their own size."""
    cohen = FOLDER / "cxr-cohen"
    for row in rows(cohen / "index.csv"):
        if row["infection_mask"]:
            folder, name = cohen / row["folder"], f"{row['id']}.png"
            mask = grey(folder / "infection" / name) > 0
            yield MaskedFilm(f"cohen-{row['patient_id']}/{row['id']}", grey(folder / "images" / name), mask)


def real_films(side_px):
    """44 films with infection masks and 63 normal ones at `side_px`; a key is its patient, a slash, and the film."""
    keys, films, masks = [], [], []
    nih = FOLDER / "cxr-nih14"
    for one in masked_films():
        keys.append(one.key)
        films.append(fit_film(one.film, side_px))
        masks.append(fit_mask(one.mask, side_px))
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
