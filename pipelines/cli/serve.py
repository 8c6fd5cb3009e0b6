"""`overread serve`: the web server."""

import signal
import sys

import click

from pipelines.cli.context import open_record

IDLE_CONNECTION_S = 60
"""After so long without a byte a connection is closed: a slow or dead client holds no place."""

MAX_HEADER_BYTES = 32 * 2**10


@click.command(epilog="Example:\n\n    overread serve --port 8000")
@click.option("--host", help="Address to listen on; default: the setting `host`.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 picks a free one. Default: the setting `port`.")
def command(host: str | None, port: int | None) -> None:
    """Serve the reading room and the dashboard. It needs a session key: `overread doctor --init` makes one."""
    from waitress import create_server

    from annotation_server.app import create_app
    from annotation_server.services.receiving import MAX_UPLOAD_BYTES

    record = open_record()
    settings = record.settings
    server = create_server(
        create_app(record),
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
        threads=settings.threads,
        connection_limit=settings.connections,
        channel_timeout=IDLE_CONNECTION_S,
        max_request_header_size=MAX_HEADER_BYTES,
        max_request_body_size=MAX_UPLOAD_BYTES,
        ident=None,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # the server then ends what it has begun
    click.echo(f"Overread listens on http://{server.effective_host}:{server.effective_port}{settings.url_prefix}")
    server.run()
