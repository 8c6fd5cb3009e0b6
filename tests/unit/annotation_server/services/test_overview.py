import pytest
from sqlalchemy import select

from annotation_server.services.overview import campaign_overview, open_stages
from db.domain.campaign import StageState
from db.domain.provenance import JobKind, JobState
from db.domain.verdict import VerdictKind
from db.models import Account, Campaign, CaseRow, Comparison, Job, Progress, Stage, Verdict, now


@pytest.fixture
def session(build_room):
    with build_room(n_cases=5, readers=("r1", "r2")).database.write() as session:
        yield session


def overview(session):
    return campaign_overview(session, session.scalars(select(Campaign)).one())


def decide(session, code, kinds, *, visible_ms=1000):
    """`code` decides free comparisons, each with revisions of these kinds, the last of which counts."""
    reader = session.scalars(select(Account).where(Account.code == code)).one()
    seat = session.scalars(select(Comparison).where(Comparison.account_id.is_(None)).limit(1)).one()
    seat.account_id, seat.token, seat.order, seat.decided_at = reader.id, f"t{seat.id}", [0, 1, 2, 3], now()
    for number, kind in enumerate(kinds, 1):
        verdict = Verdict(
            comparison_id=seat.id,
            revision=number,
            account_id=reader.id,
            kind=kind,
            visible_ms=visible_ms * number,
            idempotency_key=str(number),
            protocol_digest="p",
        )
        session.add(verdict)
    session.flush()


def test_readers_are_counted_by_the_verdicts_that_count(session):
    decide(session, "r1", [VerdictKind.DENY_ALL, VerdictKind.NO_INFECTION])
    decide(session, "r1", [VerdictKind.NO_INFECTION, VerdictKind.DENY_ALL])
    decide(session, "r1", [VerdictKind.UNREADABLE], visible_ms=9000)
    decide(session, "r2", [VerdictKind.DENY_ALL], visible_ms=500)
    (stage,) = overview(session).stages
    first, second = stage.readers
    assert (first.code, first.n_decided, first.n_denied, first.n_unreadable) == ("r1", 3, 1, 1)
    assert (first.median_visible_s, second.median_visible_s) == (2.0, 0.5)
    assert (stage.n_judged, stage.n_denied) == (4, 2)


def test_what_is_simulated_is_marked(session):
    session.scalars(select(Account).where(Account.code == "r2")).one().simulated = True
    for case in session.scalars(select(CaseRow).limit(3)):
        case.simulated = True
    for code in ("r1", "r2"):
        decide(session, code, [VerdictKind.DENY_ALL])
    shown = overview(session)
    assert [reader.is_simulated for reader in shown.stages[0].readers] == [False, True]
    assert (shown.n_simulated, shown.n_films["ingested"]) == (3, 5)


def test_jobs_of_no_stage_show_the_last_of_each_kind_with_their_parts(session):
    campaign = session.scalars(select(Campaign)).one()
    for number, kind in enumerate([JobKind.BENCHMARK, JobKind.EXPORT, JobKind.BENCHMARK]):
        session.add(Job(kind=kind, workflow_id=f"later-{number}", campaign_id=campaign.id, state=JobState.RUNNING))
        session.flush()
    last = session.scalars(select(Job).order_by(Job.id.desc())).first()
    session.add(Progress(job_id=last.id, part="unet-tiny fold 1", n_done=1, n_total=5))
    session.flush()
    jobs = overview(session).jobs
    assert [(one.job.kind, len(one.parts)) for one in jobs] == [(JobKind.EXPORT, 0), (JobKind.BENCHMARK, 1)]
    assert jobs[1].job.id == last.id


def test_a_reader_sees_the_own_share_of_open_stages_only(session):
    decide(session, "r1", [VerdictKind.DENY_ALL])
    reader = session.scalars(select(Account).where(Account.code == "r1")).one()
    (stage,) = open_stages(session, reader.id)
    assert (stage.n_decided, stage.n_left, stage.n_total) == (1, 4, 5)
    session.scalars(select(Stage)).one().state = StageState.LOCKED
    session.flush()
    assert open_stages(session, reader.id) == []
