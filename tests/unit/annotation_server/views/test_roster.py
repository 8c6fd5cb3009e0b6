"""The pages about readers, disputed cases, exports and the log."""

import pytest
from sqlalchemy import select

from db.domain.provenance import JobKind, JobState
from db.models import AuditEntry, Job, StageReader

READERS = "/campaigns/pilot/I/readers"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def coordinator(site):
    return site.visit("coordinator")


def test_a_reader_is_assigned_leaves_and_comes_back(site, coordinator):
    page = coordinator.get(READERS).text
    assert "every reader may read it" in page
    coordinator.post(f"{READERS}/assign", code="reader", quota="2", reason=SCRIPT)
    page = coordinator.get(READERS).text
    assert "Only the readers named here" in page
    coordinator.post(f"{READERS}/leave", code="reader", reason="moved away")
    page = coordinator.get(READERS).text
    assert "verdicts do not count" in page
    coordinator.post(f"{READERS}/count", code="reader", counts="on", reason="a decision of the board")
    assert "verdicts count" in coordinator.get(READERS).text
    with site.record.database.read() as session:
        assert [(one.quota, one.counts) for one in session.scalars(select(StageReader)) if one.left_at] == [(2, True)]
        assert SCRIPT in {entry.detail.get("reason") for entry in session.scalars(select(AuditEntry))}
    log = coordinator.get("/log").text
    assert "&lt;script&gt;" in log
    assert SCRIPT not in log


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"code": "reader", "reason": ""}, "needs a reason"),
        ({"code": "nobody", "reason": "why not"}, "no account"),
        ({"code": "reader", "quota": "many", "reason": "why not"}, "The quota is"),
        ({"code": "coordinator", "reason": "why not"}, "not an active reader"),
    ],
)
def test_what_cannot_be_assigned_is_said_calmly(coordinator, form, message):
    coordinator.post(f"{READERS}/assign", **form)
    page = coordinator.get(READERS).text
    assert "alert-warning" in page
    assert message in page


def test_one_reader_more_for_every_case(coordinator):
    coordinator.post(f"{READERS}/overlap", reason="two opinions are better")
    assert "seats were added" in coordinator.get(READERS).text


def test_late_films_join_with_a_reason_or_it_is_said_why_not(coordinator):
    assert "Let late films join" in coordinator.get(READERS).text
    coordinator.post(f"{READERS}/admit", reason="they came late")
    assert "No film came since stage pilot/I opened" in coordinator.get(READERS).text


def test_without_disputes_the_queue_is_empty(coordinator):
    assert "No case waits" in coordinator.get("/campaigns/pilot/I/adjudication").text
    coordinator.post("/campaigns/pilot/I/adjudication", case="secret-case-0", code="")
    assert "are not disputed" in coordinator.get("/campaigns/pilot/I/adjudication").text


def test_an_engineer_may_look_and_not_act(site):
    engineer = site.visit("engineer")
    page = engineer.get(READERS).text
    assert "Assign a reader" not in page
    assert engineer.post(f"{READERS}/assign", code="reader", reason="x").status_code == 403


def test_the_log_is_filtered_and_its_chain_checked(coordinator):
    coordinator.post(f"{READERS}/assign", code="reader", reason="first")
    assert "reader assigned" in coordinator.get("/log?action=reader_assigned&subject=pilot").text
    assert "0 entries" in coordinator.get("/log?actor=nobody").text
    assert "as they were written" in coordinator.get("/log?check=1").text


def test_an_export_is_listed_and_comes_as_a_zip_file(site, coordinator):
    assert "There are none yet" in coordinator.get("/campaigns/pilot/exports").text
    coordinator.post("/campaigns/pilot/exports")
    assert "no final masks" in coordinator.get("/campaigns/pilot/exports").text
    folder = site.record.settings.exports_folder.resolve() / "pilot-1"
    folder.mkdir(parents=True)
    (folder / "manifest.csv").write_text("case\n")
    with site.record.database.write() as session:
        arguments = {"folder": str(folder)}
        job = Job(kind=JobKind.EXPORT, workflow_id="e", campaign_id=1, arguments=arguments, state=JobState.DONE)
        session.add(job)
        session.flush()
        address = f"/campaigns/pilot/exports/{job.id}.zip"
    assert address in coordinator.get("/campaigns/pilot/exports").text
    answer = coordinator.get(address)
    assert answer.data.startswith(b"PK")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert coordinator.get("/campaigns/pilot/exports/999.zip").status_code == 404
