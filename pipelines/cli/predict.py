"""`overread predict`: films to masks, infection maps and grades."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli.context import open_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ml_backend.engine import Member
    from pipelines.mapping import Load
    from pipelines.predicting import Prediction

EXIT_SOME_BAD = 2


@click.command(epilog="Example:\n\n    overread predict films --campaign pilot --output predicted")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--campaign", required=True, help="Whose networks to use: those that it trained last.")
@click.option("--network", "networks", multiple=True, help="Only this network; may be given repeatedly.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A new folder.")
@click.option("--with-keras", is_flag=True, help="Do without compiled networks, as is done where there is a GPU.")
def command(folder: Path, campaign: str, networks: tuple[str, ...], output: Path, *, with_keras: bool) -> None:
    """Make masks, infection maps and grades for the films in FOLDER.

    Every fold of every network votes; the mean of their probability maps counts. Networks are compiled when they are
    first used. Films that cannot be read are named and left out, and the exit status is 2 then. When it was
    interrupted, the same command goes on where it stopped. For research use. Not a medical device.
    """
    from pipelines.predicting import find_members
    from pipelines.publishing import check_target

    check_target(output)  # before anything is compiled
    record = open_record()
    members = find_members(record, campaign, networks)
    names = sorted({member.network for member in members})
    click.echo(f"{len(members)} checkpoints of {', '.join(names)}.")
    load = _opened(members, folder, record.store.root / "compiled", with_keras=with_keras)
    made = _predicted(folder, output, members, load)
    for problem in made.problems.values():
        click.echo(f"Left out: {problem}", err=True)
    n_detected = sum(film.detected for film in made.films)
    kept = f" ({made.n_kept} by the run before)" if made.n_kept else ""
    click.echo(f"{len(made.films)} films predicted{kept}, {n_detected} called infected: {output}.")
    click.echo("For research use. Not a medical device.")
    if made.problems:
        click.get_current_context().exit(EXIT_SOME_BAD)


def _opened(members: "Sequence[Member]", folder: Path, compiled: Path, *, with_keras: bool) -> "Load":
    """The members' networks, by Keras or compiled."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or it greets every user with what it could not find
    from ml_backend.engine import is_keras_better
    from pipelines.predicting import open_compiled

    if with_keras or is_keras_better():
        from ml_backend.inference import KerasNetworks

        return KerasNetworks().load
    return open_compiled(members, folder, compiled, _tell_compiled)


def _tell_compiled(line: dict[str, Any]) -> None:
    click.echo(
        f"Compiled {line['network']} in {line['seconds']} s: it differs from Keras by at most "
        f"{line['max_difference']:.1g}, and in {line['n_flipped']} of {line['n_pixels']} pixels at 0.5."
    )


def _predicted(folder: Path, output: Path, members: "Sequence[Member]", load: "Load") -> "Prediction":
    """The films predicted, under a bar."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from pipelines.predicting import predict_folder

    with Progress(TextColumn("films"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as display:
        bar = display.add_task("films", total=None)
        return predict_folder(
            folder,
            output,
            members,
            load=load,
            progress=lambda n_done, n_films: display.update(bar, completed=n_done, total=n_films),
        )
