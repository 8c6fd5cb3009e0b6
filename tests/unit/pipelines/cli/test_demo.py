"""The demonstration's start; `tests/integration/test_demo.py` runs all of it."""

import socket

import pytest
from click.testing import CliRunner

from db.domain.errors import ExternalError
from pipelines.cli import demo


def test_a_port_that_is_taken_is_refused_before_anything_is_made(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ExternalError, match=f"listens on port {port} already"):
            CliRunner().invoke(
                demo.command, ["--home", str(tmp_path / "demo"), "--port", str(port)], catch_exceptions=False
            )
    assert not (tmp_path / "demo").exists()
