import re

import pytest
from sqlalchemy import select

from db.domain.campaign import RoundState, StageState
from db.domain.provenance import JobState
from db.models import Account, Comparison, Job, Progress, Stage, Verdict, now


@pytest.fixture
def coordinator(site):
    return site.visit("coordinator")


def stage_of(session):
    return session.scalars(select(Stage)).one()


def decide_all(record, *, simulated=False):
    """Reader `reader` picks slot 0 of each comparison; the slots stand in the candidates' order."""
    with record.database.write() as session:
        reader = session.scalars(select(Account).where(Account.code == "reader")).one()
        reader.simulated = simulated
        round_ = stage_of(session).rounds[-1]
        for seat in session.scalars(select(Comparison)):
            seat.account_id, seat.token, seat.order, seat.decided_at = reader.id, f"t{seat.id}", [0, 1, 2, 3], now()
            masks = {
                candidate.position: candidate.mask_id for candidate in candidates(session, round_.id, seat.case_id)
            }
            seat.verdicts.append(
                Verdict(
                    revision=1,
                    account_id=reader.id,
                    kind="pick",
                    slot=0,
                    mask_id=masks[0],
                    visible_ms=1000 * seat.id,
                    idempotency_key="k",
                    protocol_digest="p",
                )
            )


def candidates(session, round_id, case_id):
    from db.models import Candidate

    return session.scalars(select(Candidate).where(Candidate.round_id == round_id, Candidate.case_id == case_id))


def text(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_the_page_shows_states_and_the_next_steps(coordinator):
    shown = text(coordinator.get("/campaigns/pilot"))
    assert "Stage I open round 1: reading" in shown
    assert "0 of 6" in shown
    assert "Lock stage I" in shown


def test_an_engineer_sees_the_same_and_may_train_but_nothing_else(site):
    engineer = site.visit("engineer")
    page = engineer.get("/campaigns/pilot").text
    assert "round 1: reading" in page
    assert re.findall(r'<button[^>]* id="([^"]+)"', page.partition("<main")[2]) == ["train-I"]
    engineer.post("/campaigns/pilot/I/train")
    assert "6 comparisons are open" in text(engineer.get("/campaigns/pilot"))
    assert engineer.post("/campaigns/pilot/I/lock", leave_open="on").status_code == 403


def test_training_shows_each_network(site, coordinator):
    with site.record.database.write() as session:
        stage = stage_of(session)
        stage.rounds[0].state = RoundState.TRAINING
        job = session.scalars(select(Job)).one()
        job.state = JobState.RUNNING
        part = Progress(job_id=job.id, part="unet-tiny", n_done=3, n_total=9, loss=0.25, films_per_s=12.34, eta_s=75)
        session.add(part)
        job_id = job.id
    shown = text(coordinator.get("/campaigns/pilot/progress"))
    assert "unet-tiny 3 of 9 0.2500 12.3 1:15" in shown
    assert f"Cancel job {job_id}" in shown
    assert "Train stage I" not in shown


def test_a_step_that_is_not_possible_says_why_and_changes_nothing(site, coordinator):
    answer = coordinator.post("/campaigns/pilot/I/lock")
    assert (answer.status_code, answer.location) == (302, "/campaigns/pilot")
    assert "6 comparisons are open" in text(coordinator.get(answer.location))
    with site.record.database.read() as session:
        assert stage_of(session).state is StageState.OPEN


def test_a_stage_can_be_locked_without_the_undecided_films(site, coordinator):
    coordinator.post("/campaigns/pilot/I/lock", leave_open="on")
    with site.record.database.read() as session:
        assert stage_of(session).state is StageState.LOCKED


def test_a_step_without_the_pages_token_is_refused(coordinator):
    assert coordinator.client.post("/campaigns/pilot/I/lock", data={"leave_open": "on"}).status_code == 400


def test_readers_show_by_code_with_their_pace(site, coordinator):
    decide_all(site.record)
    assert "reader 6 0 0 3.5 s" in text(coordinator.get("/campaigns/pilot/progress"))


def test_preference_is_hidden_before_unblinding_and_shown_after(site, coordinator):
    decide_all(site.record, simulated=True)
    networks = ("unet-tiny", "unet-densenet121", "unet-resnet50", "drawing")
    for verb in ("lock", "unblind"):
        answer = coordinator.get("/campaigns/pilot/I/preference")
        assert answer.status_code == 409
        pages = answer.text + coordinator.get("/campaigns/pilot").text
        assert not any(name in pages for name in networks)
        coordinator.post(f"/campaigns/pilot/I/{verb}")
    shown = text(coordinator.get("/campaigns/pilot/I/preference"))
    assert "Slot Chosen 1 6 2 0 3 0 4 0" in shown
    assert "simulated" in shown
    assert "picks a machine 75 % of the time" in shown
    assert re.search(r"machine picked over drawing \d+ % \d+ % to \d+ % 75 % 6", shown)
    assert any(name in shown for name in networks)


def test_the_report_is_served_as_it_is_but_may_run_nothing(site, coordinator):
    assert coordinator.get("/campaigns/pilot/report").status_code == 404
    folder = site.record.settings.reports_folder
    folder.mkdir(parents=True)
    (folder / "pilot.html").write_text("<h1>Report</h1>")
    answer = coordinator.get("/campaigns/pilot/report")
    assert answer.text == "<h1>Report</h1>"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert "/campaigns/pilot/report" in coordinator.get("/campaigns/pilot").text


def test_only_a_job_of_the_campaign_is_cancelled(coordinator):
    assert coordinator.post("/campaigns/pilot/jobs/99/cancel").status_code == 404


def test_a_name_with_markup_is_shown_as_text(site, coordinator):
    with site.record.database.write() as session:
        stage_of(session).campaign.name = "<b>pilot"
    assert "<b>pilot" not in coordinator.get("/campaigns").text
    assert "&lt;b&gt;pilot" in coordinator.get("/campaigns").text
