"""The verdicts of an export."""

import csv
import json
from dataclasses import fields

import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage, unblind_stage
from db.domain.verdict import VerdictKind
from db.models import Comparison, Stage, StageReader, now
from pipelines.export import export_campaign
from pipelines.verdict_table import VerdictRow


@pytest.fixture
def exported(campaign, tmp_path):
    campaign.open("I").train("I").read("I")
    with campaign.record.database.write() as session:
        seat = session.scalars(select(Comparison).order_by(Comparison.case_id).limit(1)).one()
        campaign.decide(session, seat, VerdictKind.NO_INFECTION, seat.verdicts[0].mask_id)
        session.get_one(Stage, 1).analysis_plan = '{"version":1}'
        session.add(StageReader(stage_id=1, account_id=1, left_at=now(), counts=True))
    lock_stage(campaign.record, "pilot/I")
    unblind_stage(campaign.record, "pilot/I")
    export_campaign(campaign.record, "pilot", tmp_path / "out")
    return tmp_path / "out"


def read(folder, name):
    return list(csv.DictReader((folder / name).open()))


def test_every_revision_is_a_row_and_one_of_each_seat_counts(exported):
    rows = read(exported, "verdicts.csv")
    assert len(rows) == 12
    assert sum(row["is_last"] == "1" for row in rows) == 11
    first, second = (row for row in rows if row["case"] == "c00")
    assert (first["kind"], second["kind"], second["revision"]) == ("pick", "no_infection", "2")
    assert first["origins"] == "unet-tiny;drawing"
    assert (first["origin"], first["slot"], first["seat_kind"], first["counts"]) == ("unet-tiny", "0", "reading", "1")
    assert first["decided_at"].endswith("+00:00")


def test_the_dictionary_explains_every_column(exported):
    columns = [row["column"] for row in read(exported, "verdicts.dictionary.csv")]
    assert columns == [one.name for one in fields(VerdictRow)] == list(read(exported, "verdicts.csv")[0])
    assert all(row["meaning"] for row in read(exported, "verdicts.dictionary.csv"))


def test_the_flow_counts_films_and_patients_and_the_plan_is_there(exported):
    flow = {row["step"]: int(row["n_films"]) for row in read(exported, "flow.csv")}
    assert flow["Ingested"] == 40
    assert flow["Stage I"] == flow["with a final mask"] == 11
    assert json.loads((exported / "analysis_plans.json").read_text()) == {"I": {"version": 1}}
