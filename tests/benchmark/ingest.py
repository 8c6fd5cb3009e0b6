"""Ingest in films/s and MB, against a plain Pillow loop that decodes and saves PNG in the same run.

Run it alone on the machine: `make benchmark`. The films are the real ones beside the checkout, or generated ones
where there are none. Ingest decodes, checks, fingerprints, encodes, hashes, flushes to the disk and writes rows; the
loop only decodes and saves, with Pillow's defaults. The ratio of their rates must not fall below `MIN_RATIO`.
"""

import csv
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from db.record import Record
from db.settings import Settings
from pipelines.compile.ingest import ingest
from pipelines.compile.manifest import Batch

REAL = Path(__file__).parents[3] / "shared" / "data"
MIN_RATIO = 0.8
N_GENERATED = 60


@dataclass(frozen=True)
class Rate:
    """What one way of taking films in achieved."""

    name: str
    n_films: int
    seconds: float
    n_bytes: int

    @property
    def films_per_s(self) -> float:
        return self.n_films / self.seconds

    def __str__(self) -> str:
        return f"{self.name:7} {self.n_films} films, {self.films_per_s:6.1f} films/s, {self.n_bytes / 1e6:7.1f} MB"


@pytest.fixture
def films(tmp_path):
    """The films to take in."""
    real = [*REAL.glob("cxr-*/**/images/*.png"), *REAL.glob("cxr-nih14/*/*.png")]
    return sorted(real) or [generated(tmp_path / f"g{number}.png", number) for number in range(N_GENERATED)]


def generated(path, seed):
    noise = np.random.default_rng(seed).standard_normal((1024, 1024))
    field = ndimage.gaussian_filter(noise, 40) * 60 + ndimage.gaussian_filter(noise, 1.5) * 0.3
    levels = np.clip((field - field.min()) / np.ptp(field) * 255, 0, 255)
    Image.fromarray(levels.astype(np.uint8)).save(path)
    return path


def n_bytes_below(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def with_pillow(films, folder):
    folder.mkdir()
    start = time.perf_counter()
    for number, path in enumerate(films):
        with Image.open(path) as picture:
            picture.convert("L").save(folder / f"{number}.png")
    return Rate("Pillow", len(films), time.perf_counter() - start, n_bytes_below(folder))


def with_ingest(films, folder):
    folder.mkdir()
    links = folder / "films"
    links.mkdir()
    with (folder / "films.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "patient", "class"])
        for number, path in enumerate(films):
            (links / f"f{number}.png").symlink_to(path)
            writer.writerow([f"f{number}", number, "infection"])
    record = Record.open(Settings(home=folder / "home"))
    start = time.perf_counter()
    report = ingest(record, Batch(links, folder / "films.csv"))
    seconds = time.perf_counter() - start
    record.database.dispose()
    assert (report.n_new, report.refused) == (len(films), ())
    return Rate("ingest", len(films), seconds, n_bytes_below(record.store.root))


def test_ingest_keeps_up_with_a_plain_pillow_loop(films, tmp_path):
    for path in films:
        path.read_bytes()  # both find the films in memory
    plain, ours = with_pillow(films, tmp_path / "plain"), with_ingest(films, tmp_path / "ours")
    ratio = ours.films_per_s / plain.films_per_s
    print(f"\n{plain}\n{ours}\nratio   {ratio:.2f} (at least {MIN_RATIO})")
    assert ratio >= MIN_RATIO
