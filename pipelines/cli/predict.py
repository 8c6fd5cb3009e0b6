"""`overread predict`: films to masks, infection maps and grades."""

import os
from pathlib import Path

import click

from pipelines.cli.context import open_record

EXIT_SOME_BAD = 2


@click.command(epilog="Example:\n\n    overread predict films --campaign pilot --output predicted")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--campaign", required=True, help="Whose networks to use: those that it trained last.")
@click.option("--network", "networks", multiple=True, help="Only this network; may be given repeatedly.")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="A new folder.")
def command(folder: Path, campaign: str, networks: tuple[str, ...], output: Path) -> None:
    """Make masks, infection maps and grades for the films in FOLDER.

    Every fold of every network votes; the mean of their probability maps counts. Films that cannot be read are named
    and left out, and the exit status is 2 then. For research use. Not a medical device.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or it greets every user with what it could not find
    from pipelines.predicting import find_members, predict_folder

    members = find_members(open_record(), campaign, networks)
    names = sorted({member.network for member in members})
    click.echo(f"{len(members)} checkpoints of {', '.join(names)}.")
    made = predict_folder(folder, output, members)
    for problem in made.problems.values():
        click.echo(f"Left out: {problem}", err=True)
    n_detected = sum(film.detected for film in made.films)
    click.echo(f"{len(made.films)} films predicted, {n_detected} called infected: {output}.")
    click.echo("For research use. Not a medical device.")
    if made.problems:
        click.get_current_context().exit(EXIT_SOME_BAD)
