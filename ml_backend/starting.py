"""Where the training of a network starts: random values, imported weights, a pretext."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from db.domain.errors import InputError
from db.domain.network import NetworkSpec
from db.domain.recipe import TrainingRecipe
from db.job_context import JobContext
from db.repository.weights import newest_weights
from ml_backend.children import Line, run_children
from ml_backend.data import PackedSet
from ml_backend.task import Fold, TrainingSpec, TrainingTask

Report = Callable[[int, int], None]
"""Told how many films are made, of how many; what it raises ends the making."""

MakePretext = Callable[[str, int, Report], PackedSet]
"""Makes the films of a pretext, by its name and their side in pixels; the same arguments give the same films."""

PRETEXT_VERSION = 1
"""Raise it by hand when other films would be made: they are then made anew."""

PRETEXT_CORPUS = "phantom films (simulated)"


def no_pretext(name: str, _side_px: int, _report: Report) -> PackedSet:
    """For workers that make no phantom films."""
    msg = f"This worker has no films for the pretext {name!r}."
    raise InputError(msg, hint="Set `pretext=none`, or let `overread worker` run the job.")


def encoder_starts(
    context: JobContext, networks: Iterable[NetworkSpec], recipe: TrainingRecipe
) -> Mapping[str, str | None]:
    """The digest of the weights that each network's encoder starts from; None for random values.

    They are the newest that were imported when the job first ran: the job remembers them, so that all of its folds
    start alike whatever is imported meanwhile.
    """
    encoders = sorted({network.encoder for network in networks})
    if recipe.weights == "random":
        return dict.fromkeys(encoders)
    with context.record.database.write() as session:
        job = context.running_job(session)
        if (known := job.arguments.get("weights")) is None:
            found = {encoder: newest_weights(session, encoder) for encoder in encoders}
            known = {encoder: row.digest if row else None for encoder, row in found.items()}
            job.arguments = {**job.arguments, "weights": known}
    starts: Mapping[str, str | None] = known
    return starts


def learn_pretext(context: JobContext, spec: TrainingSpec, make: MakePretext) -> TrainingSpec:
    """`spec`, starting from what its network learns of the pretext.

    The pretext is a training like any other, named by its KEY: it is learned once, whoever asks. Its films are
    simulated and of no patient, so that no certificate depends on it.
    """
    store, runs = context.record.store, context.record.settings.runs_folder.resolve()
    data, packed = _pretext_films(context, runs, spec, make)
    start = store.path(spec.start) if spec.start else None
    fold = Fold("pretext", packed.keys)
    task = TrainingTask(spec.pretext_recipe, data, runs, (fold,), PRETEXT_CORPUS, start)

    def report(line: Line) -> None:
        if line["event"] == "progress":
            done = line["epoch"] - (line["step"] < line["n_steps"])
            message = f"epoch {line['epoch']} of {line['n_epochs']}"
            context.report(f"{spec.network.name} {spec.pretext}", done, line["n_epochs"], message=message)

    [(_, folder)] = task.run_folders(packed)
    run_children(context, spec.network.name, lambda: None if folder.is_done else task, report)
    return replace(spec, start=store.put(folder.checkpoint.read_bytes()))


def _pretext_films(context: JobContext, runs: Path, spec: TrainingSpec, make: MakePretext) -> tuple[Path, PackedSet]:
    """The films of the pretext, made once and kept beside the runs."""
    path = runs / "pretexts" / f"{spec.pretext}-{spec.input_size}-{PRETEXT_VERSION}.npz"
    if not path.exists():
        make(spec.pretext, spec.input_size, partial(context.report, spec.pretext)).save(path)
    return path, PackedSet.load(path)
