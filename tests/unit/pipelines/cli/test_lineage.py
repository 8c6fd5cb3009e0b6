"""Where a final mask comes from, on the command line."""

import json

import pytest
from click.testing import CliRunner

from annotation_server.services.coordinating import lock_stage, unblind_stage
from db.domain.errors import StateError
from pipelines.cli import lineage


@pytest.fixture
def show(campaign, monkeypatch):
    """The lineage of case c00, whose final mask is a network's."""
    campaign.open("I").train("I").read("I")
    lock_stage(campaign.record, "pilot/I")
    monkeypatch.setattr(lineage, "open_record", lambda: campaign.record)
    return lambda *options: CliRunner().invoke(lineage.command, ["pilot", "c00", *options], catch_exceptions=False)


def test_origins_stay_hidden_until_the_stage_is_unblinded(show):
    with pytest.raises(StateError, match="who made which candidate is hidden"):
        show()


def test_a_lineage_names_network_ancestors_and_certificate(show, campaign):
    unblind_stage(campaign.record, "pilot/I")
    shown = show().output
    assert "network unet-tiny, fold" in shown
    assert "none of component c00" in shown
    first, *rest = json.loads(show("--json").output)
    assert (first["case"], first["origin"]) == ("c00", "network")
    assert {one["origin"] for one in rest} == {"drawing"}
    assert not {one["case"] for one in rest} & {"c00", "c01"}
