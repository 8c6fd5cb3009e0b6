import re

import pytest
from sqlalchemy import select

from annotation_server.app import create_app
from db.accounts import find_account
from db.domain.provenance import JobState
from db.models import Job
from db.record import Record
from db.settings import Settings
from db.tokens import make_token


@pytest.fixture
def read(site):
    """The metrics as a program of the engineer reads them, name -> value."""
    with site.record.database.write() as session:
        secret = make_token(session, find_account(session, "engineer"), "prometheus", days=1)

    def read():
        answer = site.app.test_client().get("/metrics", headers={"Authorization": f"Bearer {secret}"})
        assert answer.content_type.startswith("text/plain")
        return answer.text

    return read


def test_seats_jobs_and_verdicts_are_counted(site, read):
    reader = site.visit("reader")
    reader.client.post("/api/stages/pilot/I/next", headers={"X-CSRFToken": reader.token()})
    with site.record.database.write() as session:
        session.scalars(select(Job)).one().state = JobState.QUEUED
    text = read()
    assert 'overread_seats{state="free"} 5.0' in text
    assert 'overread_seats{state="leased"} 1.0' in text
    assert 'overread_jobs{state="queued"} 1.0' in text
    assert "overread_verdicts 0.0" in text
    (age,) = re.findall(r"overread_oldest_waiting_job_seconds ([\d.]+)", text)
    assert float(age) > 0


def test_requests_are_timed_by_the_template_of_their_route(site, read):
    reader = site.visit("reader")
    reader.get("/media/a-secret-token/film")
    reader.get("/invitation/a-secret-link")
    reader.get("/no-such-page-of-secret")
    text = read()
    assert 'route="/media/<token>/film",status="4xx"' in text
    assert 'route="none"' in text
    assert "secret" not in text


def test_no_reader_and_no_case_is_named(site, read):
    site.visit().sign_in("reader")
    assert not re.search("r1|secret|reader@", read())


def test_they_are_for_staff_and_for_this_machine_only_if_it_is_said(site):
    assert site.visit("reader").get("/metrics").status_code == 403
    assert site.visit().get("/metrics").location == "/login?next=/metrics"
    assert site.visit("engineer").get("/metrics").status_code == 200
    settings = Settings(home=site.record.settings.home, secret_key="k" * 40, local_metrics=True)
    client = create_app(Record(settings, site.record.database, site.record.store)).test_client()
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": "10.0.0.9"}).status_code == 302
