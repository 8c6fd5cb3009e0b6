"""`overread stage ensemble` and what `overread stage status` says of networks."""

import re

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from annotation_server.services.coordinating import close_stage, lock_stage, unblind_stage
from db.domain.errors import InputError, StateError
from db.models import CaseRow, Checkpoint, EncoderWeights, Job, MaskRow
from db.repository.cases import find_stage
from db.repository.plans import round_plan
from pipelines.cli import stage


@pytest.fixture
def overread_stage(record, monkeypatch):
    monkeypatch.setattr(stage, "open_record", lambda: record)

    def run(*arguments):
        return CliRunner().invoke(stage.command, arguments, catch_exceptions=False).stdout

    return run


@pytest.fixture
def measured(campaign):
    """Stage I is closed; unet-tiny's proposals are final, and dla-small proposed the same for all cases but one."""
    campaign.open("I").train("I").read("I")
    with campaign.record.database.write() as session:
        job = session.scalars(select(Job)).one()
        ids = dict(session.execute(select(CaseRow.key, CaseRow.id)).all())
        for split in round_plan(session, job.round_id):
            checkpoint = campaign.checkpoint("dla-small", split.fold, job.id)
            session.add(checkpoint)
            session.flush()
            for key in split.targets:
                query = (
                    select(MaskRow).join(Checkpoint).where(MaskRow.case_id == ids[key], Checkpoint.id < checkpoint.id)
                )
                same = session.scalars(query.where(Checkpoint.network == "unet-tiny")).one().map_digest
                mask = campaign.proposal(1, ids[key], checkpoint.id)
                empty = campaign.record.store.put_map(np.zeros((32, 32), np.float32))
                mask.map_digest = empty if key == "c05" else same
                session.add(mask)
    lock_stage(campaign.record, "pilot/I")
    unblind_stage(campaign.record, "pilot/I")
    with campaign.record.database.write() as session:
        close_stage(session, "pilot/I")
    return campaign.record


def choice(record):
    with record.database.read() as session:
        return find_stage(session, "pilot/II").ensemble


def test_it_shows_dice_pairs_and_expected_best_and_stores_nothing(measured, overread_stage):
    shown = overread_stage("ensemble", "pilot/II")
    assert "11 cases have a final mask" in shown
    assert "In 11 of them the final mask is one of the very masks" in shown
    assert re.search(r"1 unet-tiny +1\.000 +1\.000 to 1\.000 +yes +yes +1$", shown, re.MULTILINE)
    assert re.search(r"2 dla-small +0\.909 +0\.\d{3} to 1\.000 +yes +- +1$", shown, re.MULTILINE)
    assert re.search(r"dla-tiny +- +not measured +- +yes$", shown, re.MULTILINE)
    assert re.search(r"^  2  0\.91  1\.00$", shown, re.MULTILINE)
    assert "present    at least 1.000  unet-tiny, dla-tiny" in shown
    assert "suggested  1.000  dla-small, unet-tiny (the best of all such sets)" in shown
    assert choice(measured) is None


def test_the_suggestion_is_stored(measured, overread_stage):
    assert "Stage pilot/II has unet-tiny (chosen), protocol" in overread_stage("ensemble", "pilot/II", "--choose", "1")
    assert choice(measured)["networks"] == ["unet-tiny"]
    assert choice(measured)["evidence"]["dice"] == {"unet-tiny": 1.0}


def test_named_networks_are_stored_and_those_without_evidence_are_said(measured, overread_stage):
    shown = overread_stage("ensemble", "pilot/II", "--network", "dla-small", "--network", "unet-small")
    assert "Stage pilot/II has dla-small, unet-small (chosen; not measured: unet-small), protocol" in shown
    assert choice(measured)["evidence"]["unmeasured"] == ["unet-small"]


def test_the_status_names_the_networks_and_the_protocol(measured, overread_stage):
    with measured.database.read() as session:
        protocol = find_stage(session, "pilot/II").protocol_digest
    assert f"networks unet-tiny, dla-tiny, protocol {protocol[:12]}" in overread_stage("status", "pilot/II")
    overread_stage("ensemble", "pilot/II", "--network", "dla-small")
    shown = overread_stage("status", "pilot/II")
    assert "networks dla-small (chosen), protocol" in shown
    assert protocol[:12] not in shown


@pytest.mark.usefixtures("campaign")
def test_without_evidence_networks_can_be_named_but_not_suggested(record, overread_stage):
    assert "No case has both a final mask" in overread_stage("ensemble", "pilot/II")
    with pytest.raises(StateError, match="No case has both"):
        overread_stage("ensemble", "pilot/II", "--choose", "2")
    assert choice(record) is None
    overread_stage("ensemble", "pilot/II", "--network", "dla-small")
    assert choice(record)["networks"] == ["dla-small"]


def test_more_networks_than_are_measured_cannot_be_suggested(measured, overread_stage):
    with pytest.raises(InputError, match="An ensemble of 5 was asked for; 2 networks are measured") as caught:
        overread_stage("ensemble", "pilot/II", "--choose", "5")
    assert "overread benchmark" in caught.value.hint
    assert choice(measured) is None


@pytest.mark.usefixtures("measured")
def test_a_stage_that_was_opened_is_shown_but_not_changed(overread_stage):
    assert "No case has both" in overread_stage("ensemble", "pilot/I")
    with pytest.raises(StateError, match="pilot/I is closed"):
        overread_stage("ensemble", "pilot/I", "--network", "dla-small")


@pytest.mark.usefixtures("campaign")
def test_suggesting_and_naming_at_once_is_refused(overread_stage):
    with pytest.raises(InputError, match="Both"):
        overread_stage("ensemble", "pilot/II", "--choose", "2", "--network", "dla-small")


def test_training_names_the_encoders_that_start_from_random_values(campaign, overread_stage, monkeypatch):
    monkeypatch.setattr("annotation_server.services.coordinating.request_training", lambda *_, **__: 7)
    campaign.open("I").train("I")
    assert "random" not in overread_stage("train", "pilot/I"), "nobody has weights for a tiny encoder"
    with campaign.record.database.write() as session:
        networks = ["unet-resnet50", "unet-densenet121"]
        find_stage(session, "pilot/I").ensemble = {"networks": networks}
        session.add(EncoderWeights(encoder="resnet50", digest="d" * 64, corpus="", card={}))
    shown = overread_stage("train", "pilot/I")
    assert "No weights are imported for densenet121: training starts from random values." in shown
