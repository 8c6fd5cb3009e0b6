"""The command `overread`: one file per verb, loaded when it is called.

This is the composition root, the only place that may import everything.
"""

import sys
from importlib import import_module

import click

from db.domain.errors import ExternalError, InvariantError, OverreadError

VERBS = {
    "demo": "Set up a demonstration and run the whole job on phantom films.",
    "up": "Run the web server and a worker under one supervisor.",
    "serve": "Serve the reading room and the dashboard.",
    "worker": "Run the jobs that wait: training, benchmark, export.",
    "ingest": "Take films in: decode, de-identify, store.",
    "import-masks": "Take drawings from files as a reader's drawings of stage I.",
    "campaign": "Create a campaign, and list what there is.",
    "stage": "Choose networks for the stages of a campaign; open, train, lock, unblind and close them.",
    "lineage": "Show what a final mask descends from, and its certificate.",
    "weights": "Import pretrained weights of encoders, and list them.",
    "networks": "List the networks that can be built.",
    "predict": "Make masks, infection maps and grades for a folder of films.",
    "export": "Write films, final masks and their manifest to a folder.",
    "simulate": "Make phantom films, and let simulated readers draw and choose.",
    "benchmark": "Train and measure networks on the final masks.",
    "report": "Write the report of a campaign as one HTML file.",
    "users": "Add, invite, list and deactivate accounts.",
    "doctor": "Check the installation and its record.",
}


class _Verbs(click.Group):
    """Knows every verb's line of help without importing the verb."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"pipelines.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="overread")
def command() -> None:
    """Overread builds infection masks for chest X-rays that can be trusted.

    Doctors and networks propose, doctors choose blind, networks learn from the choice. For research use. Not a
    medical device.
    """


def main() -> None:
    """Run the command; an error that its user is meant to read becomes two lines and its exit status."""
    try:
        command()
    except Exception as error:
        if (readable := _readable(error)) is None:
            raise
        click.echo(f"Error: {readable.message}", err=True)
        if readable.hint:
            click.echo(f"  {readable.hint}", err=True)
        sys.exit(readable.exit_status)


def _readable(error: Exception) -> OverreadError | None:
    """The error as one of ours: what the disk or the database refuses is one too. None for a bug."""
    if isinstance(error, OverreadError):
        return None if isinstance(error, InvariantError) else error
    if isinstance(error, OSError):
        place = f": {error.filename}" if error.filename else ""
        msg = f"The system refuses. {error.strerror or error}{place}."
        return ExternalError(msg, hint="Mend that and run the same command again: nothing is half-written.")
    from sqlalchemy.exc import OperationalError

    if isinstance(error, OperationalError):
        msg = f"The database cannot be used. {str(error.orig).strip()}."
        return ExternalError(msg, hint="Check the setting OVERREAD_DB and the disk, and run the same command again.")
    return None
