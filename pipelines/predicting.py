"""A folder of films to masks, infection maps and grades, by the networks of a campaign.

Layout of a prediction::

    masks/NAME.png      0 and 255, at the film's size
    maps/NAME.png       the infection map, RGB, at the film's size
    grades.csv          a row a film: infected share, grade, highest probability, whether it is called infected

The folder appears whole or not at all. For research use. Not a medical device.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import select

from db.domain.errors import InputError, NotFoundError
from db.domain.mask import THRESHOLD, ProbabilityMap, canonical_mask
from db.domain.network import NetworkSpec
from db.domain.provenance import JobState
from db.models import Checkpoint, Job
from db.record import Record
from db.repository.cases import find_campaign
from ml_backend.data import Film, fit_film
from pipelines.compile.films import FILM_SUFFIXES, decode
from pipelines.infection_map import USUAL_FLOOR, render
from pipelines.publishing import check_target, publish_folder
from pipelines.severity import assess

Forward = Callable[[Sequence["Member"], Film], ProbabilityMap]
"""From an ensemble and films uint8 [n, side, side] to mean probability maps float32 [n, side, side]."""


@dataclass(frozen=True)
class Member:
    """One checkpoint of an ensemble: its network, its input size, and where its weights lie."""

    network: str
    input_size: int
    weights: Path


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
class Prediction:
    """What was made of a folder: a row for each film, and why each of the others was left out."""

    films: tuple[GradedFilm, ...]
    problems: Mapping[str, str]


def find_members(record: Record, campaign: str, networks: Sequence[str] = ()) -> tuple[Member, ...]:
    """Every fold of the networks that the campaign trained last, in a stage or a benchmark; or of `networks` only.

    Raises
    ------
    NotFoundError
        If nothing is trained, or a named network is not among what was.
    """
    with record.database.read() as session:
        campaign_id = find_campaign(session, campaign).id
        trained = select(Checkpoint).join(Job).where(Job.campaign_id == campaign_id, Job.state == JobState.DONE)
        last = session.scalar(trained.order_by(Checkpoint.job_id.desc()).limit(1))
        if last is None:
            msg = f"Campaign {campaign} has no trained network."
            raise NotFoundError(msg, hint=f"Run `overread stage train {campaign}/I --wait`.")
        query = select(Checkpoint).where(Checkpoint.job_id == last.job_id).order_by(Checkpoint.network, Checkpoint.id)
        found = [
            Member(one.network, one.card["spec"]["input_size"], record.store.path(one.weights_digest))
            for one in session.scalars(query)
        ]
    known = {member.network for member in found}
    if unknown := sorted(set(networks) - known):
        msg = f"The last training of campaign {campaign} has no network {', '.join(unknown)}."
        raise NotFoundError(msg, hint=f"It has {', '.join(sorted(known))}.")
    return tuple(member for member in found if not networks or member.network in networks)


def predict_folder(
    folder: Path, output: Path, members: Sequence[Member], *, forward: Forward | None = None
) -> Prediction:
    """Predict every film file of `folder` and write the results to the new folder `output`.

    Files of other kinds are passed over. A film that cannot be read is left out and named in the result.

    Raises
    ------
    InputError
        If `output` holds something, or `folder` no film that can be read.
    """
    check_target(output)
    side = members[0].input_size
    paths, fitted, problems = _take_in(folder, side)
    maps = (forward or mean_maps)(members, np.stack(fitted))
    with publish_folder(output) as temporary:
        for name in ("masks", "maps"):
            (temporary / name).mkdir()
        films = tuple(_write_film(path, one, temporary) for path, one in zip(paths, maps, strict=True))
        _write_grades(temporary / "grades.csv", films)
    return Prediction(films, problems)


def mean_maps(members: Sequence[Member], films: Film) -> ProbabilityMap:
    """The mean of the members' maps. A network is built once and takes the weights of each of its folds in turn."""
    from ml_backend import inference, weights  # noqa: PLC0415 - loads Keras
    from ml_backend.networks import build  # noqa: PLC0415

    total = np.zeros(films.shape, np.float32)
    for network, folds in groupby(members, key=lambda member: member.network):
        model = build(NetworkSpec.parse(network), input_size=films.shape[-1])
        for fold in folds:
            weights.load_model(model, fold.weights)
            total += inference.predict(model, films)
    mean: ProbabilityMap = np.clip(total / np.float32(len(members)), 0, 1)
    return mean


def _take_in(folder: Path, side: int) -> tuple[list[Path], list[Film], dict[str, str]]:
    """The films that can be read, at the networks' size, and what is wrong with the others."""
    found: dict[str, tuple[Path, Film]] = {}
    problems: dict[str, str] = {}
    candidates = sorted(path for path in folder.iterdir() if path.suffix.lower() in FILM_SUFFIXES)
    for path in candidates:
        if path.stem in found:
            problems[path.name] = f"{path.name} has the same name as {found[path.stem][0].name}; rename one of them."
            continue
        try:
            found[path.stem] = (path, fit_film(decode(path), side))
        except InputError as error:
            problems[path.name] = f"{error.message} {error.hint}".rstrip()
    if not found:
        reasons = "".join(f"\n  {problem}" for problem in problems.values())
        msg = f"Folder {folder} has {len(candidates)} film files, none of which can be read.{reasons}"
        raise InputError(msg, hint=f"Films are {', '.join(sorted(FILM_SUFFIXES))}.")
    return [path for path, _ in found.values()], [film for _, film in found.values()], problems


def _write_film(path: Path, probability: ProbabilityMap, folder: Path) -> GradedFilm:
    """Write a film's mask and map; its row."""
    film = decode(path)
    mask = canonical_mask(probability, *film.shape)
    severity = assess(mask)
    Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"{path.stem}.png")
    Image.fromarray(render(film, probability, floor=USUAL_FLOOR)).save(folder / "maps" / f"{path.stem}.png")
    peak = float(probability.max())
    return GradedFilm(
        film=path.name,
        infected_share=round(severity.share, 5),
        grade=severity.grade.value,
        max_probability=round(peak, 5),
        detected=peak >= THRESHOLD,
        note=severity.note,
    )


def _write_grades(path: Path, films: Iterable[GradedFilm]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(GradedFilm)])
        writer.writeheader()
        writer.writerows(asdict(film) for film in films)
