"""`overread networks` at the command line."""

import pytest
from click.testing import CliRunner

from db.domain.network import Decoder, Encoder


@pytest.mark.keras
@pytest.mark.slow
def test_every_network_has_a_line_and_those_that_are_built_their_size():
    from db.domain.network import NetworkSpec
    from ml_backend.networks import build
    from pipelines.cli.networks import command

    lines = CliRunner().invoke(command, ["--input-size", "32"], catch_exceptions=False).stdout.splitlines()[1:]
    found = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert set(found) == {NetworkSpec(decoder, encoder).name for decoder in Decoder for encoder in Encoder}
    assert found["unet-tiny"] == f"{build(NetworkSpec('unet', 'tiny'), input_size=32).count_params():,}"
