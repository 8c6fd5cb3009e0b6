"""What an export holds."""

import csv
import hashlib
import json

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage, unblind_stage
from db.domain.errors import InputError, StateError
from db.models import CaseRow, FinalMask
from db.repository.cases import find_stage
from pipelines.export import export_campaign


@pytest.fixture
def unblinded(campaign):
    campaign.open("I").train("I").read("I")
    lock_stage(campaign.record, "pilot/I")
    unblind_stage(campaign.record, "pilot/I")
    return campaign.record


def rows(folder):
    return {row["case"]: row for row in csv.DictReader((folder / "manifest.csv").open())}


def test_it_holds_the_final_masks_and_the_control_group_with_empty_masks(unblinded, tmp_path):
    assert export_campaign(unblinded, "pilot", tmp_path / "out") == 21
    found = rows(tmp_path / "out")
    assert sorted(found) == [f"c{i:02}" for i in [*range(11), *range(30, 40)]]
    assert not np.asarray(Image.open(tmp_path / "out" / found["c30"]["mask"])).any()
    with unblinded.database.read() as session:
        final = session.scalars(select(FinalMask).join(CaseRow).where(CaseRow.key == "c03")).one()
        expected = unblinded.store.get_mask(final.digest)
    exported = np.asarray(Image.open(tmp_path / "out" / found["c03"]["mask"]))
    np.testing.assert_array_equal(exported, expected.astype(np.uint8) * 255)


def test_every_file_has_the_digest_that_the_manifest_gives(unblinded, tmp_path):
    export_campaign(unblinded, "pilot", tmp_path / "out")
    for row in rows(tmp_path / "out").values():
        for kind in ("film", "mask"):
            content = (tmp_path / "out" / row[kind]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == row[f"{kind}_sha256"]


def test_a_row_says_where_its_mask_comes_from(unblinded, tmp_path):
    export_campaign(unblinded, "pilot", tmp_path / "out")
    row = rows(tmp_path / "out")["c03"]
    expected = {
        "stage": "I",
        "round": "1",
        "verdict": "pick",
        "origin": "network",
        "network": "unet-tiny",
        "reader": "r1",
    }
    assert {name: row[name] for name in expected} == expected
    assert row["licence"] == "CC0"
    assert 0 < int(row["ancestors_seen"]) < 11


def test_the_card_counts_what_is_simulated(unblinded, tmp_path):
    export_campaign(unblinded, "pilot", tmp_path / "out")
    card = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (card["n_films"], card["n_final_masks"], card["n_simulated_films"]) == (21, 11, 0)


def test_the_card_names_the_protocol_of_each_unblinded_stage(unblinded, tmp_path):
    with unblinded.database.write() as session:
        stages = [find_stage(session, f"pilot/{name}") for name in ("I", "II")]
        for stage in stages:
            stage.ensemble = {"networks": ["unet-tiny"], "evidence": {"n_cases": 0}}
        campaign, protocol = stages[0].campaign.definition.digest, stages[0].protocol_digest
    export_campaign(unblinded, "pilot", tmp_path / "out")
    card = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert (card["protocol_sha256"], card["protocol_sha256_of_stage"]) == (campaign, {"I": protocol})
    assert protocol != campaign


def test_a_folder_that_holds_something_is_refused_and_kept(unblinded, tmp_path):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(InputError, match="is not an empty folder"):
        export_campaign(unblinded, "pilot", tmp_path)
    assert (tmp_path / "mine").read_text() == "kept"


def test_nothing_leaves_before_the_stage_is_unblinded(campaign, tmp_path):
    campaign.open("I").train("I").read("I")
    lock_stage(campaign.record, "pilot/I")
    with pytest.raises(StateError, match="no final masks of an unblinded stage"):
        export_campaign(campaign.record, "pilot", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_export_that_breaks_leaves_nothing_behind(unblinded, tmp_path):
    with unblinded.database.read() as session:
        digest = session.scalars(select(CaseRow.film_digest).where(CaseRow.key == "c35")).one()
    unblinded.store.path(digest).unlink()
    before = set(tmp_path.iterdir())
    with pytest.raises(Exception, match="no file"):
        export_campaign(unblinded, "pilot", tmp_path / "out")
    assert set(tmp_path.iterdir()) == before
