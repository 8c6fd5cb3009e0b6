"""Film files that differ, and a manifest that names them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.compile.manifest import Batch

SIDE_PX = 96
LUNGS = np.pad(np.ones((60, 30), np.uint8), ((18, 18), (10, SIDE_PX - 40))) * 255


def structure(seed: int) -> np.ndarray:
    """A film that resembles no other seed's."""
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 24)).astype(np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))


@dataclass
class FilmFolder:
    """A folder of films beside its manifest."""

    folder: Path

    def add(self, *keys: str, seeds: dict[str, int] | None = None) -> None:
        """Write a film for each key, of its own seed unless `seeds` names one."""
        for key in keys:
            seed = (seeds or {}).get(key, int.from_bytes(key.encode()))
            Image.fromarray(structure(seed)).save(self.folder / f"{key}.png")

    def add_lungs(self, key: str, mask: np.ndarray = LUNGS, folder: str = "lungs") -> None:
        """Write a lung mask for the film of `key`, in a folder below or beside the films."""
        path = self.folder / folder / f"{key}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)

    def batch(self, rows: str, columns: str = "case,patient,class", **options) -> Batch:
        """A batch of these manifest rows."""
        manifest = self.folder.parent / "films.csv"
        manifest.write_text(f"{columns}\n{rows}")
        return Batch(self.folder, manifest, **options)


@pytest.fixture
def films(tmp_path):
    """An empty folder for films."""
    folder = tmp_path / "films"
    folder.mkdir()
    return FilmFolder(folder)
