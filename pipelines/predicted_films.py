"""One film's way through a prediction: read once, and written as mask, infection map and row."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from db.domain.errors import InputError
from db.domain.mask import THRESHOLD, ProbabilityMap, canonical_mask, resample
from ml_backend.data import Film, fit_film
from ml_backend.publishing import discard_unfinished, publish
from pipelines.compile.films import FILM_SUFFIXES, decode
from pipelines.infection_map import USUAL_FLOOR, Picture, render
from pipelines.severity import assess

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

FAST_DEFLATE = 1
"""zlib level of the pictures: a quarter of the time of Pillow's default for a few more bytes."""

STRIP_PX = 256
"""An infection map is rendered in strips of so many rows: at once, a film of 4000 x 4000 would take 1.4 GB."""


@dataclass(frozen=True)
class GradedFilm:
    """A row of `grades.csv`; shares and probabilities are fractions."""

    film: str
    infected_share: float
    grade: str
    max_probability: float
    detected: bool
    note: str


@dataclass(frozen=True)
class FilmGroup:
    """Film files of one folder whose names differ in their suffix only: usually one."""

    stem: str
    paths: tuple[Path, ...]

    def state(self) -> list[list[str | int]]:
        """Names, sizes and times: another when a file is changed, added or removed."""
        return [_file_state(path) for path in self.paths]


@dataclass(frozen=True, eq=False)
class ReadFilm:
    """The first film of a group that can be read.

    Attributes
    ----------
    state
        The group's state before it was read.
    pixels
        uint8 or uint16 [height, width].
    fitted
        Input size -> uint8 [size, size].
    problems
        What is wrong with each other file of the group, by its name.
    """

    group: FilmGroup
    state: list[list[str | int]]
    path: Path
    pixels: Pixels
    fitted: Mapping[int, Film]
    problems: dict[str, str]


def film_groups(folder: Path) -> list[FilmGroup]:
    """The film files of a folder by their names without suffix, in order."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in FILM_SUFFIXES):
        found[path.stem].append(path)
    return [FilmGroup(stem, tuple(paths)) for stem, paths in sorted(found.items())]


def prepare_folder(folder: Path) -> None:
    """Make the folders of pictures below `folder`, and remove pictures that a killed process left half-written."""
    for name in ("masks", "maps"):
        (folder / name).mkdir(exist_ok=True)
        discard_unfinished(folder / name)


def read_film(group: FilmGroup, sides: Iterable[int]) -> tuple[ReadFilm | None, dict[str, str]]:
    """The film of a group at the input sizes `sides`, and what is wrong with each other file by its name."""
    film: ReadFilm | None = None
    problems: dict[str, str] = {}
    state = group.state()
    for path in group.paths:
        if film is not None:
            problems[path.name] = f"{path.name} has the same name as {film.path.name}; rename one of them."
            continue
        try:
            pixels = decode(path)
        except InputError as error:
            problems[path.name] = f"{error.message} {error.hint}".rstrip()
        else:
            fitted = {side: fit_film(pixels, side) for side in sides}
            film = ReadFilm(group, state, path, pixels, fitted, problems)
    return film, problems


def write_film(film: ReadFilm, probability: ProbabilityMap, folder: Path) -> GradedFilm:
    """Write a film's mask and infection map below `folder`; its row."""
    mask = canonical_mask(probability, *film.pixels.shape)
    severity = assess(mask)
    name = f"{film.group.stem}.png"
    _save(Image.fromarray(mask.astype(np.uint8) * 255), folder / "masks" / name)
    _save(Image.fromarray(_infection_map(film.pixels, probability)), folder / "maps" / name)
    peak = float(probability.max())
    return GradedFilm(
        film=film.path.name,
        infected_share=round(severity.share, 5),
        grade=severity.grade.value,
        max_probability=round(peak, 5),
        detected=peak >= THRESHOLD,
        note=severity.note,
    )


def write_grades(path: Path, films: Sequence[GradedFilm]) -> None:
    """Write the rows of all films as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(GradedFilm)])
        writer.writeheader()
        writer.writerows(asdict(film) for film in films)


def _file_state(path: Path) -> list[str | int]:
    try:
        stat = path.stat()
    except OSError:  # it has gone, which is said when it is read
        return [path.name]
    return [path.name, stat.st_size, stat.st_mtime_ns]


def _infection_map(pixels: Pixels, probability: ProbabilityMap) -> Picture:
    """`render` strip by strip: the same picture, whose colours are a matter of single pixels."""
    height, width = pixels.shape
    chance = np.clip(resample(probability, height, width), 0, 1)
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, STRIP_PX):
        rows = slice(top, top + STRIP_PX)
        picture[rows] = render(pixels[rows], chance[rows], floor=USUAL_FLOOR)
    return picture


def _save(picture: Image.Image, path: Path) -> None:
    with publish(path) as temporary:
        picture.save(temporary, "PNG", compress_level=FAST_DEFLATE)
