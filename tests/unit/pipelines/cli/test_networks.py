"""`overread networks` at the command line."""

import pytest
from click.testing import CliRunner

from db.domain.network import every_network


@pytest.mark.keras
@pytest.mark.slow
def test_every_network_has_a_line_with_parameters_operations_and_memory():
    from pipelines.cli.networks import command

    lines = CliRunner().invoke(command, ["--input-size", "32"], catch_exceptions=False).stdout.splitlines()[1:]
    found = {line.split()[0]: line.split()[1:] for line in lines}
    assert set(found) == {network.name for network in every_network()}
    assert len(found) == 3 * 7 * 2
    assert found["unet-densenet121"][:2] == ["12,059,345", "85,632"]
    gflop, weights_mb, features_mb = map(float, found["unet-densenet121"][2:])
    assert gflop == pytest.approx(11.461 / 49, abs=0.01)  # at 32 pixels a 49th of that at 224
    assert weights_mb == pytest.approx(48.6, abs=0.1)
    assert features_mb == pytest.approx(263.5 / 49, abs=0.1)
