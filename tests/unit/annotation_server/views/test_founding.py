"""Campaigns that are made, and films that are taken in, from the dashboard."""

import io

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from db import jobs
from db.domain.study import OwnDrawing
from db.job_context import JobContext
from db.models import AuditEntry, Campaign, CaseRow, Job, Progress
from pipelines import registering

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def coordinator(site):
    return site.visit("coordinator")


@pytest.fixture
def incoming(site):
    """A folder with one good film, one that is no picture, and a manifest."""
    folder = site.record.settings.incoming[0] / "march"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (90, 80), np.uint8)).save(folder / "n1.png")
    (folder / "n2.png").write_text("no picture")
    lines = ["case,patient,class,view,source,licence", "n1,p1,infection,pa,here,CC0", "n2,p2,infection,pa,here,CC0"]
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder


def test_a_campaign_is_created_as_the_form_says(site, coordinator):
    assert "What is set here is the protocol" in coordinator.get("/new-campaign").text
    form = {"name": "spring", "spec": "smoke", "readers_per_case": "2", "study.own_drawing": "never", "n_folds": "3"}
    answer = coordinator.post("/new-campaign", **form, further="epochs=1\n\nstudy.pair_share = 0.2".replace(" ", ""))
    assert answer.location == "/campaigns/spring/films"
    with site.record.database.read() as session:
        definition = session.scalars(select(Campaign).where(Campaign.name == "spring")).one().definition
        stage = definition.stages[0]
        assert (definition.preset, definition.n_folds, stage.readers_per_case) == ("smoke", 3, 2)
        assert (stage.study.own_drawing, stage.study.pair_share, stage.recipe.epochs) == (OwnDrawing.NEVER, 0.2, 1)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "campaign_created")).one()
        assert (entry.actor, entry.subject) == ("coordinator", "spring")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"name": "pilot", "spec": "smoke"}, "There is a campaign"),
        ({"name": "", "spec": "smoke"}, "cannot be called"),
        ({"name": "a/b", "spec": "smoke"}, "cannot be called"),
        ({"name": "x", "spec": "desktop"}, "no specification"),
        ({"name": "x", "spec": "smoke", "further": "epoch=1"}, "Did you mean"),
        ({"name": "x", "spec": "smoke", "further": "seed=1", "seed": "2"}, "given twice"),
        ({"name": "x", "spec": "smoke", "study.pair_share": "2"}, "pair_share"),
        ({"name": SCRIPT, "spec": SCRIPT, "seed": SCRIPT, "further": SCRIPT}, "KEY=VALUE"),
    ],
)
def test_a_form_with_a_mistake_comes_back_with_what_was_filled_in(coordinator, form, message):
    answer = coordinator.post("/new-campaign", **form)
    assert answer.status_code == 400
    assert message in answer.text
    assert SCRIPT not in answer.text
    if form["name"] == "x":
        assert 'value="x"' in answer.text


def test_a_folder_of_films_is_taken_in_by_a_job_and_its_refusals_are_shown(site, coordinator, incoming):
    jobs.prepare(site.record.database)
    assert incoming.name in coordinator.get("/campaigns/pilot/films").text
    coordinator.post("/campaigns/pilot/films", folder="march")
    with site.record.database.read() as session:
        job = session.scalars(select(Job).where(Job.kind == "ingest")).one()
    registering.run(JobContext(site.record, job.id, 1, arguments=job.arguments))
    page = coordinator.get("/campaigns/pilot/films").text
    assert "n2:" in page
    with site.record.database.read() as session:
        assert session.scalars(select(CaseRow).where(CaseRow.key == "n1")).one().source == "here"
        parts = {one.part: one.n_done for one in session.scalars(select(Progress).where(Progress.job_id == job.id))}
        assert parts == {"films": 2, "new": 1, "refused": 1}
    assert "n2:" in coordinator.get(f"/campaigns/pilot/jobs/{job.id}/log").text


@pytest.mark.usefixtures("incoming")
@pytest.mark.parametrize("name", ["", "..", "../store", "/etc", "april", "march/../.."])
def test_only_folders_that_are_listed_are_taken_in(coordinator, name):
    coordinator.post("/campaigns/pilot/films", folder=name)
    assert "There is no folder" in coordinator.get("/campaigns/pilot/films").text


def test_links_to_elsewhere_and_folders_without_a_manifest_are_not_listed(coordinator, incoming, tmp_path):
    (incoming.parent / "empty").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "manifest.csv").write_text("case\n")
    (incoming.parent / "linked").symlink_to(tmp_path / "outside")
    page = coordinator.get("/campaigns/pilot/films").text
    assert "march" in page
    assert "linked" not in page
    assert "empty" not in page


def test_a_job_without_a_log_says_so_and_one_of_another_campaign_is_not_there(site, coordinator):
    assert "Nothing was written" in coordinator.get("/campaigns/pilot/jobs/1/log").text
    log = site.record.settings.job_log(1)
    log.parent.mkdir(parents=True)
    log.write_text(f"{SCRIPT}\nlast words\n")
    page = coordinator.get("/campaigns/pilot/jobs/1/log").text
    assert "last words" in page
    assert SCRIPT not in page
    assert coordinator.get("/campaigns/other/jobs/1/log").status_code == 404


def send(visitor, **files):
    """Post an upload; each field is a list of (name, bytes)."""
    fields = {field: [(io.BytesIO(data), name) for name, data in sent] for field, sent in files.items()}
    return visitor.client.post(
        "/campaigns/pilot/films/upload",
        data={"csrf_token": visitor.token(), **fields},
        content_type="multipart/form-data",
    )


def sent_film():
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (90, 80), np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


ROWS = b"case,patient,class\nn1,Doe^John,infection\nn2,p2,infection\n"


def test_films_from_the_browser_are_taken_in_by_the_same_job_with_their_refusals(site, coordinator):
    jobs.prepare(site.record.database)
    send(coordinator, films=[("n1.jpg", sent_film()), ("n2.png", b"<svg>"), (SCRIPT, b"x")], manifest=[("m.csv", ROWS)])
    page = coordinator.get("/campaigns/pilot/films").text
    assert "1 films were received" in page
    assert "n2.png: It is not a PNG or JPEG file" in page
    assert SCRIPT not in page
    with site.record.database.read() as session:
        job = session.scalars(select(Job).where(Job.kind == "ingest")).one()
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "films_registered")).one()
        assert (entry.detail["n_sent"], entry.detail["n_refused"]) == (1, 2)
    registering.run(JobContext(site.record, job.id, 1, arguments=job.arguments))
    with site.record.database.read() as session:
        film = session.scalars(select(CaseRow).where(CaseRow.key == "n1")).one()
        assert site.record.store.path(film.film_digest).read_bytes().startswith(b"\x89PNG")
        parts = {one.part: one.n_done for one in session.scalars(select(Progress).where(Progress.job_id == job.id))}
    assert parts["new"] == 1
    log = site.record.settings.job_log(job.id).read_text()
    assert "n2.png: It is not a PNG or JPEG file" in log
    assert "n2: There is no film named n2" in log
    assert "Doe" not in log + page


def test_an_upload_that_is_no_good_leaves_neither_job_nor_file(site, coordinator):
    jobs.prepare(site.record.database)
    send(coordinator, films=[("n1.jpg", sent_film())], manifest=[])
    assert "No manifest was sent" in coordinator.get("/campaigns/pilot/films").text
    send(coordinator, films=[("n1.jpg", sent_film())], manifest=[("m.csv", ROWS)])
    send(coordinator, films=[("n1.jpg", sent_film())], manifest=[("m.csv", ROWS)])
    assert "for this already" in coordinator.get("/campaigns/pilot/films").text
    with site.record.database.read() as session:
        (job,) = session.scalars(select(Job).where(Job.kind == "ingest"))
    assert [path.name for path in site.record.settings.job_folder(0).parent.iterdir()] == [str(job.id)]


def test_the_files_of_a_cancelled_upload_go_with_the_next_one(site, coordinator):
    jobs.prepare(site.record.database)
    for _ in range(2):
        send(coordinator, films=[("n1.jpg", sent_film())], manifest=[("m.csv", ROWS)])
        with site.record.database.read() as session:
            job = session.scalars(select(Job).where(Job.kind == "ingest").order_by(Job.id.desc())).first()
        jobs.cancel(site.record.database, job.id)
    assert [path.name for path in site.record.settings.job_folder(0).parent.iterdir()] == [str(job.id)]


def test_only_who_may_send_films_may_send_much(site, coordinator):
    site.app.config["MAX_CONTENT_LENGTH"] = 5000
    assert send(coordinator, films=[("n1.jpg", bytes(6000))], manifest=[]).status_code == 302
    for visitor in (site.visit("reader"), site.visit("engineer"), site.visit()):
        assert send(visitor, films=[("n1.jpg", bytes(6000))], manifest=[]).status_code == 413
