"""The report: complete in itself, honest about what is missing or simulated, and blind where the stage is."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from markupsafe import escape
from sqlalchemy import select

from annotation_server.services.coordinating import close_stage, lock_stage, unblind_stage
from annotation_server.services.preferring import stage_preference
from db.domain.errors import NotFoundError
from db.domain.provenance import JobKind, JobState
from db.models import Account, CampaignCase, CaseRow, Job, PhantomTruth, Prediction
from pipelines.report import write_report


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def written(record, tmp_path):
    """Writes the report and returns its text."""
    return lambda: write_report(record, "pilot", tmp_path / "reports" / "pilot.html").read_text()


@pytest.fixture
def closed(record, campaign):
    """A campaign whose stage I is closed."""
    campaign.open("I").train("I").read("I")
    lock_stage(record, "pilot/I")
    unblind_stage(record, "pilot/I")
    with record.database.write() as session:
        close_stage(session, "pilot/I")
    return campaign


@pytest.fixture
def benchmarked(record, closed):
    """A campaign whose benchmark predicted every final and every normal film at random."""
    with record.database.write() as session:
        stage = closed.stage(session, "I")
        job = Job(
            kind=JobKind.BENCHMARK,
            workflow_id="bench",
            campaign_id=stage.campaign_id,
            state=JobState.DONE,
            arguments={},
        )
        session.add(job)
        session.flush()
        for fold in range(3):
            checkpoint = closed.checkpoint("unet-tiny", fold, job.id)
            checkpoint.card = {"wall_s": 2.5, "versions": {"keras": "3.15.0"}, "n_parameters": {"trainable": 7}}
            session.add(checkpoint)
            session.flush()
            members = select(CampaignCase).where(CampaignCase.campaign_id == job.campaign_id, CampaignCase.fold == fold)
            for member in session.scalars(members):
                if member.stage_id is None and member.case.case_class == "infection":
                    continue
                digest = record.store.put_map(closed.rng.random((32, 32)).astype(np.float32))
                session.add(Prediction(checkpoint_id=checkpoint.id, case_id=member.case_id, map_digest=digest))
    return closed


def make_phantoms(record):
    """Give every film a truth, as if it were a phantom."""
    rng = np.random.default_rng(8)
    with record.database.write() as session:
        for case in session.scalars(select(CaseRow)):
            case.simulated = True
            truth = record.store.put_mask(rng.random((case.height_px, case.width_px)) > 0.5)
            lung = record.store.put_mask(np.ones((case.height_px, case.width_px), bool))
            session.add(PhantomTruth(case_id=case.id, infection_digest=truth, lung_digest=lung))


@pytest.mark.usefixtures("campaign")
def test_a_campaign_without_anything_says_what_is_due(written):
    html = written()
    assert "overread stage open pilot/I" in html
    assert "overread benchmark pilot" in html
    assert "No comparison was offered yet" in html


def test_an_unknown_campaign_is_not_found(record, tmp_path):
    with pytest.raises(NotFoundError, match="pilot"):
        write_report(record, "pilot", tmp_path / "pilot.html")
    assert not (tmp_path / "pilot.html").exists()


@pytest.mark.usefixtures("benchmarked")
def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(written):
    html = written()
    tags = Tags(html).found
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object", "base"}
    assert all(attrs["src"].startswith("data:image/") and attrs["alt"] for tag, attrs in tags if tag == "img")
    assert not [attrs for _, attrs in tags if "style" in attrs or any(name.startswith("on") for name in attrs)]
    assert not re.search(r"(?:href|src)=\"(?!data:)", html)


def test_a_blind_stage_keeps_its_origins(record, campaign, written):
    make_phantoms(record)
    campaign.open("I").train("I").read("I")
    html = written()
    assert "origins stay hidden" in html
    assert "Credit of picks" not in html
    assert "Stage I: unet-tiny" not in html
    assert "A machine's mask was picked" not in html


def test_simulation_stands_in_the_banner(record, campaign, written):
    campaign.open("I").train("I").read("I")
    assert "All 40 films come from patients" in written()
    make_phantoms(record)
    with record.database.write() as session:
        session.scalars(select(Account)).one().simulated = True
    assert re.search(r"(\d+) of \1 films are phantoms .* and 1 of 1 readers are simulated", written())


def test_the_studys_figures_are_those_of_the_dashboard_and_wait_for_the_unblinding(record, campaign, written):
    campaign.open("I").train("I").read("I")
    assert "stays hidden until then" in written()
    lock_stage(record, "pilot/I")
    unblind_stage(record, "pilot/I")
    with record.database.read() as session:
        lines = stage_preference(session, record.store, campaign.stage(session, "I")).lines
    rows = re.findall(
        r'class="depth-1">([^<]+)</th><td>([^<]+)</td><td>([^<]+)</td>', written().partition('id="study"')[2]
    )
    assert rows == [(str(escape(line.name)), line.value, line.interval) for line in lines]
    assert ("all denied", "0 %") in [(name, value) for name, value, _ in rows]


def test_a_study_on_phantoms_or_with_programs_says_so(record, campaign, written):
    campaign.open("I").train("I").read("I")
    lock_stage(record, "pilot/I")
    unblind_stage(record, "pilot/I")
    study = "they are no evidence"
    assert study not in written()
    make_phantoms(record)
    assert study in written()


@pytest.mark.usefixtures("closed")
def test_the_circle_and_the_gain_are_measured_where_the_truth_is_known(record, written):
    assert "It cannot be measured here" in written()
    make_phantoms(record)
    html = written()
    assert "It cannot be measured here" not in html
    assert "final mask less drawing, same films" in html
    assert "Rests on simulated films" in html


@pytest.mark.usefixtures("benchmarked")
def test_the_benchmark_stands_beside_the_papers_figures_and_names_no_patient(written):
    html = written()
    assert "unet-tiny, all folds" in html
    assert "the paper, other films" in html
    assert "98.37 %" in html
    assert "95 % intervals by resampling patients: sensitivity 100.0 %" in html
    assert "keras" in html
    captions = re.findall(r"<figcaption>(c\d\d [^<]*)", html)
    assert captions
    assert all("CC0" in caption for caption in captions)
    assert not re.search(r"\bp\d\d\b", re.sub(r"data:[^\"]+", "", html))


@pytest.mark.usefixtures("campaign")
def test_writing_again_replaces_the_file(record, tmp_path):
    path = tmp_path / "pilot.html"
    path.write_text("old")
    assert write_report(record, "pilot", path) == path
    assert "old" not in path.read_text()[:20]
    assert [one.name for one in tmp_path.glob(".new-*")] == []
