"""Metrics in Prometheus' text format: how long requests take, how the reading goes, whether jobs wait.

No patient, no reader and no token is in them: requests are told apart by the template of their route.
"""

import time
from collections.abc import Iterator

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Select, case, func, select

from annotation_server.auth import STAFF, allow
from db.domain.campaign import RoundState, StageState
from db.domain.provenance import JobState
from db.models import Comparison, Job, Round, Stage, Verdict, now
from db.record import Record
from db.session import Database

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


def register_metrics(app: Flask, record: Record) -> None:
    """Time every request, and show /metrics to staff."""
    registry = CollectorRegistry()
    registry.register(_RecordCollector(record.database))
    seconds = Histogram(
        "overread_request_seconds",
        "Server time of requests by route.",
        ["method", "route", "status"],
        buckets=BUCKETS_S,
        registry=registry,
    )

    def begin() -> None:
        g.begun_at = time.perf_counter()

    def observe(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.url_rule else "ANY"  # whatever a stranger makes up is no label
        status = f"{response.status_code // 100}xx"
        seconds.labels(method, route, status).observe(time.perf_counter() - g.begun_at)
        return response

    @allow(STAFF, or_local=True)
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    app.before_request(begin)
    app.after_request(observe)
    app.add_url_rule("/metrics", "metrics", metrics)


class _RecordCollector(Collector):
    """Reads the record when it is asked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        """Verdicts, seats of stages that are read, jobs, and how long the oldest waiting one has waited."""
        with self._database.read() as session:
            n_verdicts = session.scalar(select(func.count(Verdict.id))) or 0
            seats = dict(session.execute(_seats()).all())
            n_jobs = dict(session.execute(select(Job.state, func.count()).group_by(Job.state)).all())
            waiting_since = session.scalar(select(func.min(Job.created_at)).where(Job.state == JobState.QUEUED))
        yield GaugeMetricFamily("overread_verdicts", "Verdicts, revisions included.", n_verdicts)
        family = GaugeMetricFamily("overread_seats", "Seats of stages that are being read.", labels=["state"])
        for state in ("free", "leased", "decided"):
            family.add_metric([state], seats.get(state, 0))
        yield family
        family = GaugeMetricFamily("overread_jobs", "Jobs.", labels=["state"])
        for job_state in JobState:
            family.add_metric([job_state], n_jobs.get(job_state, 0))
        yield family
        age_s = 0.0 if waiting_since is None else (now() - waiting_since).total_seconds()
        yield GaugeMetricFamily("overread_oldest_waiting_job_seconds", "Age of the oldest job that waits.", age_s)


def _seats() -> Select[str, int]:
    is_free = Comparison.account_id.is_(None) | (Comparison.leased_until < now())
    state = case((Comparison.decided_at.is_not(None), "decided"), (is_free, "free"), else_="leased").label("state")
    query = select(state, func.count()).join(Round).join(Stage)
    is_read = (Stage.state == StageState.OPEN) & (Round.state != RoundState.DONE)
    return query.where(is_read).group_by(state)
