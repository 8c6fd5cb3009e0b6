"""`overread up`: the web server and a worker under one supervisor."""

import os
import sys

import click

from pipelines.cli.context import open_record


@click.command(epilog="Example:\n\n    overread up --port 8000")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the web server; default: the setting `port`.")
def command(port: int | None) -> None:
    """Run the web server and a worker, and start again whichever dies. Ctrl-C ends both."""
    from pipelines.supervising import supervise

    if port is not None:
        os.environ["OVERREAD_PORT"] = str(port)
    open_record().database.dispose()  # the schema is brought up to date once, before two processes want to
    sys.exit(supervise({"web": ["serve"], "worker": ["worker"]}))
