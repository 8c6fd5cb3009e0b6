"""A folder of films to masks, infection maps and grades, by the networks of a campaign.

Layout of a prediction::

    masks/NAME.png      0 and 255, at the film's size
    maps/NAME.png       the infection map, RGB, at the film's size
    grades.csv          a row a film: infected share, grade, highest probability, whether it is called infected

While the networks look at a chunk of films, threads read the next and write the one before (`pipelines.mapping`). The
folder appears whole or not at all; until then its films are kept beside it (`pipelines.unfinished`), and the same
prediction goes on with those that are missing.

For research use. Not a medical device.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select

from db.domain.errors import InputError, NotFoundError
from db.domain.mask import ProbabilityMap
from db.domain.provenance import JobState
from db.models import Checkpoint, Job
from db.record import Record
from db.repository.cases import find_campaign
from ml_backend.compiling import Report, Samples, compile_members
from ml_backend.engine import CompiledNetworks, Member
from ml_backend.views import viewed
from pipelines.compile.films import FILM_SUFFIXES
from pipelines.mapping import N_THREADS, Ensemble, Load, map_films
from pipelines.predicted_films import (
    FilmGroup,
    GradedFilm,
    ReadFilm,
    film_groups,
    prepare_folder,
    read_film,
    write_film,
    write_grades,
)
from pipelines.unfinished import Unfinished, unfinished

PREDICTION_VERSION = 1
"""Raise it by hand when the same films and networks would give other files: unfinished ones do not go on then."""

N_SAMPLES = 8
"""On so many films a network is compared with Keras when it is compiled."""

VIEWS = ("n_views", "variation")
"""What a checkpoint's recipe says of the views that are averaged."""

Progress = Callable[[int, int], None]
"""Told how many films are done, of how many."""


@dataclass(frozen=True)
class Prediction:
    """What was made of a folder: a row for each film, and why each of the others was left out.

    `n_kept` of the films were finished by an interrupted prediction before.
    """

    films: tuple[GradedFilm, ...]
    problems: Mapping[str, str]
    n_kept: int = 0


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
            Member(
                one.network,
                one.card["spec"]["input_size"],
                record.store.path(one.weights_digest),
                **{name: one.card["spec"][name] for name in VIEWS if name in one.card["spec"]},
            )
            for one in session.scalars(query)
        ]
    known = {member.network for member in found}
    if unknown := sorted(set(networks) - known):
        msg = f"The last training of campaign {campaign} has no network {', '.join(unknown)}."
        raise NotFoundError(msg, hint=f"It has {', '.join(sorted(known))}.")
    return tuple(member for member in found if not networks or member.network in networks)


def open_compiled(members: Sequence[Member], folder: Path, root: Path, report: Report) -> Load:
    """The members as they are compiled below `root`; what is missing there is compiled now.

    They are compared with Keras on films of `folder`. `report` gets a line for each that is compiled, as
    `ml_backend.compiling` describes it.

    Raises
    ------
    InputError
        If weights cannot be read.
    ExternalError
        If a network cannot be compiled, or differs from Keras.
    """
    networks = CompiledNetworks(members, root)
    if missing := networks.missing():
        compile_members(missing, root, _samples(folder, {member.input_size for member in missing}), report)
    return networks.load


def predict_folder(
    folder: Path, output: Path, members: Sequence[Member], *, load: Load, progress: Progress = lambda _done, _all: None
) -> Prediction:
    """Predict every film file of `folder` and write the results to the new folder `output`.

    Files of other kinds are passed over. A film that cannot be read is left out and named in the result; of files
    whose names differ in the suffix only, the first that can be read counts. Films that an interrupted prediction of
    the same folder, by the same members, into the same output has finished are kept.

    Raises
    ------
    InputError
        If `output` holds something, or `folder` no film that can be read.
    StateError
        If beside `output` lie unfinished results of other members or another folder, or another process makes them.
    """
    asked = {
        "version": PREDICTION_VERSION,
        "folder": str(folder.resolve()),
        "networks": [
            [member.network, member.input_size, member.digest, *(getattr(member, name) for name in VIEWS)]
            for member in members
        ],
    }
    with unfinished(output, asked) as so_far:
        prepare_folder(so_far.result)
        ensemble = [(member.input_size, viewed(load(member), member.n_views, member.variation)) for member in members]
        run = _Run(so_far, ensemble, film_groups(folder))
        run.finish(progress)
        if not run.rows:
            n_files = sum(len(group.paths) for group in run.groups)
            reasons = "".join(f"\n  {problem}" for problem in run.problems.values())
            msg = f"Folder {folder} has {n_files} film files, none of which can be read.{reasons}"
            raise InputError(msg, hint=f"Films are {', '.join(sorted(FILM_SUFFIXES))}.")
        films = tuple(run.rows[stem] for stem in sorted(run.rows))
        write_grades(so_far.result / "grades.csv", films)
        return Prediction(films, dict(sorted(run.problems.items())), run.n_kept)


@dataclass(eq=False)
class _Run:
    """One pass over the films that are not kept yet."""

    so_far: Unfinished
    ensemble: Ensemble
    groups: Sequence[FilmGroup]
    rows: dict[str, GradedFilm] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    n_kept: int = 0

    def finish(self, progress: Progress) -> None:
        """Predict what is missing; afterwards each group has its row, or is among the problems."""
        kept = {line["stem"]: line for line in self.so_far.kept()}
        missing = [group for group in self.groups if not self._take_over(group, kept.get(group.stem))]
        self.n_kept = n_done = len(self.groups) - len(missing)
        progress(n_done, len(self.groups))
        for n_more in self._predict(iter(missing)):
            n_done += n_more
            progress(n_done, len(self.groups))

    def _take_over(self, group: FilmGroup, line: Mapping[str, Any] | None) -> bool:
        """Whether an interrupted run has finished the group as it is now."""
        if line is None or line["state"] != group.state():
            return False
        self.rows[group.stem] = GradedFilm(**line["row"])
        self.problems |= line["problems"]
        return True

    def _predict(self, missing: Iterator[FilmGroup]) -> Iterator[int]:
        """Chunk by chunk, the one before being written meanwhile; yields how many more groups are done and kept."""
        with ThreadPoolExecutor(N_THREADS) as pool:
            writing: list[Future[dict[str, Any]]] = []
            for chunk in map_films(missing, self.ensemble, pool):
                self.problems |= chunk.problems
                yield chunk.n_unread + self._keep(writing)
                writing = [pool.submit(self._write, *pair) for pair in zip(chunk.films, chunk.maps, strict=True)]
                chunk.films.clear()  # each is gone when it is written
            yield self._keep(writing)

    def _write(self, film: ReadFilm, probability: ProbabilityMap) -> dict[str, Any]:
        """Write a film's pictures; the line by which it is kept."""
        row = write_film(film, probability, self.so_far.result)
        return {"stem": film.group.stem, "state": film.state, "problems": film.problems, "row": asdict(row)}

    def _keep(self, writing: Sequence[Future[dict[str, Any]]]) -> int:
        """Wait until a chunk is written and keep it; the number of its films."""
        lines = [future.result() for future in writing]
        self.so_far.keep(lines)
        for line in lines:
            self.rows[line["stem"]] = GradedFilm(**line["row"])
        return len(lines)


def _samples(folder: Path, sides: set[int]) -> Samples:
    """Some films of a folder at each of the input sizes; fewer where few can be read."""
    films = (read_film(group, sides)[0] for group in film_groups(folder))
    taken = list(islice((film for film in films if film is not None), N_SAMPLES))
    return {side: np.stack([film.fitted[side] for film in taken]) for side in sides} if taken else {}
