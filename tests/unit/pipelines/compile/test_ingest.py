from datetime import date, timedelta

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from db.domain.campaign import Arm, StageState
from db.domain.errors import InputError
from db.models import Campaign, CampaignCase, CaseRow, Stage
from pipelines.compile import ingest as ingest_module
from pipelines.compile.deidentify import pseudonym
from pipelines.compile.ingest import ingest


def rows(record):
    with record.database.read() as session:
        return {row.key: row for row in session.scalars(select(CaseRow))}


def contents(record):
    """Everything that is kept: rows and files."""
    with record.database.read() as session:
        kept = session.execute(select(CaseRow.__table__)).all()
    return kept, sorted(path for path in record.store.root.rglob("*") if path.is_file())


def test_a_film_arrives_with_its_pixels_and_without_its_patient(record, films):
    films.add("c1")
    batch = films.batch("c1,4711,infection,104,2020-03-31\n", "case,patient,class,age,date", constants={"source": "s"})
    report = ingest(record, batch)
    row = rows(record)["c1"]
    assert (report.n_new, report.n_known, report.refused) == (1, 0, ())
    assert np.array_equal(record.store.get_film(row.film_digest), np.asarray(Image.open(films.folder / "c1.png")))
    assert (row.width_px, row.height_px, row.component, row.age_years) == (96, 96, "c1", 90)
    assert row.patient == pseudonym(record.settings.pseudonym_key, "s", "4711")
    assert row.taken_on < date(2020, 3, 31)
    assert not row.simulated
    database = (record.settings.home / "overread.sqlite").read_bytes()
    assert b"4711" not in database
    assert b"2020-03-31" not in database


def test_intervals_between_films_of_a_patient_survive(record, films):
    films.add("c1", "c2")
    ingest(record, films.batch("c1,1,normal,2020-03-31\nc2,1,normal,2020-04-12\n", "case,patient,class,date"))
    found = rows(record)
    assert found["c2"].taken_on - found["c1"].taken_on == timedelta(12)
    assert found["c1"].component == found["c2"].component == "c1"


def test_patient_1_of_two_sources_are_two_patients(record, films):
    films.add("c1", "c2")
    ingest(record, films.batch("c1,1,normal,a\nc2,1,normal,b\n", "case,patient,class,source"))
    assert {row.component for row in rows(record).values()} == {"c1", "c2"}


def test_running_it_twice_changes_nothing(record, films, tmp_path):
    films.add("c1", "c2", "c3", seeds={"c3": 5, "c2": 5})
    batch = films.batch("c1,1,normal,2020-03-31\nc2,2,normal,\nc3,3,other,\n", "case,patient,class,date")
    first = ingest(record, batch, relink=tmp_path / "relink.csv")
    before, relink = contents(record), (tmp_path / "relink.csv").read_text()
    second = ingest(record, batch, relink=tmp_path / "relink.csv")
    assert (first.n_new, first.n_known) == (3, 0)
    assert (second.n_new, second.n_known, second.refused, second.duplicates) == (0, 3, (), ())
    assert contents(record) == before
    assert (tmp_path / "relink.csv").read_text() == relink
    assert relink.count("\n") == 3


def test_another_film_or_another_word_under_a_known_key_is_refused(record, films):
    films.add("c1", "c2")
    ingest(record, films.batch("c1,1,normal\nc2,4711,normal\n"))
    before = contents(record)
    films.add("c1", seeds={"c1": 99})
    report = ingest(record, films.batch("c1,1,normal\nc2,4712,other\n"))
    assert [refusal.item for refusal in report.refused] == ["c1", "c2"]
    assert "another film." in report.refused[0].message
    assert "another patient, another class." in report.refused[1].message
    assert "471" not in report.refused[1].message
    assert contents(record) == before


def test_bad_films_are_named_the_good_ones_kept_and_nothing_is_left_of_the_bad(record, films):
    films.add("c1", "c4")
    (films.folder / "c2.png").write_text("no film")
    (films.folder / "c3.png").write_bytes((films.folder / "c1.png").read_bytes()[:300])
    report = ingest(record, films.batch("c1,1,normal\nc2,2,normal\nc3,3,normal\nc4,4,normal\n"))
    assert report.n_new == 2
    assert [(refusal.item, refusal.message[:15]) for refusal in report.refused] == [
        ("c2", "c2.png is not a"),
        ("c3", "c3.png is damag"),
    ]
    kept, files = contents(record)
    assert len(kept) == len(files) == 2


def test_near_duplicates_of_two_sources_share_a_component_also_when_one_comes_later(record, films):
    films.add("c1", "c2")
    ingest(record, films.batch("c1,1,infection\nc2,2,infection\n"))
    Image.open(films.folder / "c2.png").resize((120, 110)).save(films.folder / "b9.jpg")
    report = ingest(record, films.batch("b9,9,infection\n"))
    assert report.duplicates == (("b9", "c2"),)
    assert {key: row.component for key, row in rows(record).items()} == {"c1": "c1", "c2": "b9", "b9": "b9"}


def test_what_was_committed_before_a_crash_stays_and_the_rest_follows(record, films, monkeypatch):
    monkeypatch.setattr(ingest_module, "CHUNK_FILMS", 2)
    keys = [f"c{i}" for i in range(5)]
    films.add(*keys)
    batch = films.batch("".join(f"{key},{key},normal\n" for key in keys))

    def crash(arriving, total):
        assert total == 5
        for number, film in enumerate(arriving):
            if number == 3:
                raise KeyboardInterrupt
            yield film

    with pytest.raises(KeyboardInterrupt):
        ingest(record, batch, watch=crash)
    assert set(rows(record)) == {"c0", "c1"}
    report = ingest(record, batch)
    assert (report.n_new, report.n_known) == (3, 2)


def test_a_case_that_another_ingest_added_meanwhile_is_refused(record, films):
    films.add("c1", "c2")
    batch = films.batch("c1,1,normal\nc2,2,normal\n")

    def overtaken(arriving, _):
        everything = list(arriving)
        ingest(record, films.batch("c1,1,normal\n"))
        return everything

    report = ingest(record, batch, watch=overtaken)
    assert [refusal.item for refusal in report.refused] == ["c1"]
    assert report.n_new == 1
    assert set(rows(record)) == {"c1", "c2"}


def test_phantoms_are_marked(record, films):
    films.add("c1")
    ingest(record, films.batch("c1,1,normal\n"), simulated=True)
    assert rows(record)["c1"].simulated
    (refused,) = ingest(record, films.batch("c1,1,normal\n")).refused
    assert "simulated or real" in refused.message


def test_a_relink_table_that_cannot_be_written_stops_before_anything_is_done(record, films, tmp_path):
    films.add("c1")
    with pytest.raises(InputError, match="relink table"):
        ingest(record, films.batch("c1,1,normal\n"), relink=tmp_path / "missing" / "relink.csv")
    with record.database.read() as session:
        assert session.scalar(select(func.count(CaseRow.id))) == 0


def test_a_lung_mask_comes_with_its_film_and_is_no_film_itself(record, films):
    films.add("c1", "c2")
    films.add_lungs("c1")
    report = ingest(record, films.batch("c1,1,normal\nc2,2,normal\n"))
    assert (report.n_new, report.n_lungs, report.refused) == (2, 1, ())
    found = rows(record)
    lungs = np.asarray(Image.open(films.folder / "lungs" / "c1.png")) > 0
    assert np.array_equal(record.store.get_mask(found["c1"].lung_digest), lungs)
    assert found["c2"].lung_digest is None


def test_lung_masks_may_lie_elsewhere_and_then_as_the_films_do(record, films):
    (films.folder / "a").mkdir()
    films.add("a/c1", "c2")
    films.add_lungs("a/c1", folder="../masks")
    films.add_lungs("c2")  # not where the batch says
    batch = films.batch("c1,1,normal\n", lungs=films.folder.parent / "masks")
    assert ingest(record, batch).n_lungs == 1
    assert rows(record)["c1"].lung_digest
    with pytest.raises(InputError, match=r"no folder .*mask with lung masks"):
        ingest(record, films.batch("c1,1,normal\n", lungs=films.folder.parent / "mask"))


def test_a_film_with_a_bad_lung_mask_is_refused_by_the_file_and_nothing_of_it_is_kept(record, films):
    films.add("c1", "c2", "c3", "c4")
    mask = np.zeros((96, 96), np.uint8)
    mask[20:60, 20:40] = 255
    films.add_lungs("c1", mask[:, :90])
    films.add_lungs("c2", mask - np.eye(96, dtype=np.uint8))
    films.add_lungs("c3", 0 * mask)
    (films.folder / "lungs" / "c4.png").write_text("no picture")
    refused = ingest(record, films.batch("".join(f"c{i},{i},normal\n" for i in range(1, 5)))).refused
    assert [one.message.partition(";")[0].partition(". ")[0] for one in refused] == [
        "Lung mask c1.png is 90x96, its film is 96x96",
        "Lung mask c2.png has 3 values",
        "Lung mask c3.png is empty",
        "c4.png is not a PNG, JPEG or TIFF file, whatever its name says",
    ]
    assert contents(record) == ([], [])


def test_a_known_film_takes_a_lung_mask_once_and_keeps_it(record, films):
    films.add("c1")
    batch = films.batch("c1,1,normal\n")
    ingest(record, batch)
    films.add_lungs("c1")
    report = ingest(record, batch)
    assert (report.n_known, report.n_lungs, report.refused) == (1, 1, ())
    before = contents(record)
    assert rows(record)["c1"].lung_digest
    assert ingest(record, batch).refused == ()
    films.add_lungs("c1", np.eye(96, dtype=np.uint8))
    (refused,) = ingest(record, batch).refused
    assert "known with another lung mask" in refused.message
    (films.folder / "lungs" / "c1.png").unlink()
    assert ingest(record, batch).refused == ()
    assert contents(record) == before


def test_a_film_of_an_open_stage_takes_no_lung_mask_that_only_some_readers_would_see(record, films):
    films.add("c1")
    batch = films.batch("c1,1,normal\n")
    ingest(record, batch)
    with record.database.write() as session:
        stage = Stage(name="I", position=0, state=StageState.OPEN)
        campaign = Campaign(name="pilot", definition_json="{}", stages=[stage])
        session.add(campaign)
        session.flush()
        place = {"campaign_id": campaign.id, "stage_id": stage.id, "case_id": 1}
        session.add(CampaignCase(arm=Arm.READ, component="c1", **place))
    films.add_lungs("c1")
    (refused,) = ingest(record, batch).refused
    assert "open stage" in refused.message
    assert rows(record)["c1"].lung_digest is None
    with record.database.write() as session:
        session.get_one(Stage, 1).state = StageState.LOCKED
    assert ingest(record, batch).refused == ()
    assert rows(record)["c1"].lung_digest
