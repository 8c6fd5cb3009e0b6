"""What rows say of themselves."""

import json

import pytest

from db.domain.campaign import CampaignDefinition, StageDefinition
from db.domain.network import NetworkSpec
from db.domain.recipe import TrainingRecipe
from db.models import Campaign, Stage

EVIDENCE = {"n_cases": 3, "dice": {"dla-tiny": 0.5}}


def definition(seed=1):
    networks = (NetworkSpec("unet", "tiny"), NetworkSpec("dla", "tiny"))
    names = ("I", "II")
    return CampaignDefinition(
        tuple(StageDefinition(name, networks, with_drawing=False, recipe=TrainingRecipe()) for name in names), seed=seed
    )


def stage(name="II", seed=1, networks=None, evidence=EVIDENCE, plan=None):
    found = Stage(name=name, position=["I", "II"].index(name), analysis_plan=plan)
    found.campaign = Campaign(name="pilot", definition_json=definition(seed).to_json())
    found.ensemble = {"networks": networks, "evidence": evidence} if networks else None
    return found


def test_a_stage_without_a_choice_is_as_the_campaign_defines_it():
    assert stage().definition == definition().stages[1]
    assert stage().protocol_digest == definition().digest


def test_a_plan_is_part_of_the_protocol_of_a_stage_that_has_one():
    with_plan, other = (stage(plan=json.dumps({"seed": seed})).protocol_digest for seed in (1, 2))
    assert len({with_plan, other, stage().protocol_digest}) == 3


def test_a_choice_replaces_the_networks_and_nothing_else():
    found, planned = stage(networks=["dla-tiny"]).definition, definition().stages[1]
    assert found.networks == (NetworkSpec("dla", "tiny"),)
    assert (found.name, found.recipe, found.n_candidates) == (planned.name, planned.recipe, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"networks": ["unet-tiny"]},
        {"networks": ["dla-tiny"], "evidence": EVIDENCE | {"n_cases": 4}},
        {"networks": ["dla-tiny"], "seed": 2},
        {"networks": ["dla-tiny"], "name": "I"},
        {"networks": ["dla-tiny"], "plan": '{"version":1}'},
        {"plan": '{"version":1}'},
        {},
    ],
)
def test_the_protocol_is_another_if_definition_stage_networks_or_evidence_are(other):
    protocol = stage(networks=["dla-tiny"]).protocol_digest
    assert len(protocol) == 64
    assert stage(networks=["dla-tiny"]).protocol_digest == protocol
    assert stage(**other).protocol_digest != protocol


def test_the_protocol_survives_the_database_and_no_choice_is_null(record):
    with record.database.write() as session:
        campaign = Campaign(name="pilot", definition_json=definition().to_json())
        campaign.stages = [Stage(name="I", position=0), Stage(name="II", position=1)]
        campaign.stages[1].ensemble = {"networks": ["dla-tiny"], "evidence": {"z": 0.1 + 0.2, "a": None}}
        campaign.stages[0].ensemble = None
        session.add(campaign)
        session.flush()
        before = [one.protocol_digest for one in campaign.stages]
    with record.database.read() as session:
        stages = session.get_one(Campaign, 1).stages
        assert [one.protocol_digest for one in stages] == before
        assert session.query(Stage).where(Stage.ensemble.is_(None)).one().name == "I"
