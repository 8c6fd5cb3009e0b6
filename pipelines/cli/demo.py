"""`overread demo`: the whole job on phantom films with simulated readers, live in the browser."""

import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from db.record import Record
    from pipelines.simulate.reading import SimulatedReader

CAMPAIGN = "demo"
READERS = ("sim-wide", "sim-tight", "sim-coarse")
PEOPLE = {"coordinator": "coordinator", "md": "reader"}
TARGET_DICE = 0.75
"""How well the simulated readers draw: like busy people, so that there is something to gain."""

START_S = 60
POLL_S = 0.5


class Size(NamedTuple):
    """How many films each stage reads, and the control group."""

    first: int
    second: int
    visitor: int
    normal: int
    spec: str


FULL = Size(first=100, second=150, visitor=8, normal=150, spec="demo")
SMALL = Size(first=20, second=10, visitor=3, normal=10, spec="smoke")


@click.command(epilog="Example:\n\n    overread demo --port 8000")
@click.option("--home", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option(
    "--small", is_flag=True, help="A few films and steps: whether everything fits together, in a minute or two."
)
@click.option("--exit", "leave", is_flag=True, help="End when the job is done instead of serving on.")
def command(home: Path, port: int, small: bool, leave: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Run the whole job on phantom films: two stages with simulated readers, networks, a report.

    Everything is kept in a folder of its own; run again, it goes on where it stopped. The last comparisons are left to
    you. For research use. Not a medical device.
    """
    _refuse_taken(port)
    os.environ |= {"OVERREAD_HOME": str(home), "OVERREAD_PORT": str(port)}
    from pipelines.cli.context import open_record

    record = open_record()
    passwords = _add_people(record)
    with _running(port):
        address = f"http://{record.settings.host}:{port}"
        click.echo(f"\nOverread runs at {address}. Phantom films, simulated readers.")
        for code, password in passwords.items():
            click.echo(f"  sign in as {code:12} password {password}")
        click.echo(f"  live progress: {address}/campaigns/{CAMPAIGN}\n")
        started = time.monotonic()
        _run_line(record, SMALL if small else FULL)
        click.echo(f"\nDone in {(time.monotonic() - started) / 60:.1f} minutes.")
        click.echo(f"  report:         {address}/campaigns/{CAMPAIGN}/report")
        click.echo(f"  judge yourself: sign in as md, then {address}/read/{CAMPAIGN}/III")
        if not leave:
            click.echo("Ctrl-C ends the demo; `overread demo` goes on with it.")
            with suppress(KeyboardInterrupt):
                Event().wait()


def _refuse_taken(port: int) -> None:
    """Else the demo would follow somebody else's server."""
    import socket

    from db.domain.errors import ExternalError

    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            msg = f"Something listens on port {port} already."
            raise ExternalError(msg, hint="End it, or try `overread demo --port 8001`.")


def _add_people(record: "Record") -> dict[str, str]:
    """Simulated readers, and people's accounts with fresh passwords."""
    from sqlalchemy import select

    from db.accounts import add_account, set_password
    from db.domain.provenance import Role
    from db.models import Account
    from db.settings import key_file

    key_file(record.settings.key_folder / "session.key")
    passwords = {code: secrets.token_urlsafe(12) for code in PEOPLE}
    with record.database.write() as session:
        known = {account.code: account for account in session.scalars(select(Account))}
        for code, role in PEOPLE.items():
            account = known.get(code) or add_account(session, code, Role(role))
            set_password(session, account, passwords[code])
        for code in READERS:
            if code not in known:
                add_account(session, code, Role.READER, simulated=True)
    return passwords


@contextmanager
def _running(port: int) -> "Iterator[None]":
    """The web server and a worker, for as long as the block lasts."""
    from urllib.error import URLError
    from urllib.request import urlopen

    up = subprocess.Popen([sys.executable, "-m", "pipelines.cli", "up"], stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the block below ends them too
    try:
        deadline = time.monotonic() + START_S
        while True:
            try:
                urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
                break
            except (URLError, OSError):
                if up.poll() is not None or time.monotonic() > deadline:
                    from db.domain.errors import ExternalError

                    msg = f"The web server did not start on port {port}."
                    raise ExternalError(msg, hint="Is the port taken? Try `overread demo --port 8001`.") from None
                time.sleep(POLL_S)
        yield
    finally:
        up.terminate()
        up.wait()


def _run_line(record: "Record", size: Size) -> None:
    from sqlalchemy import select

    from annotation_server.services.coordinating import create_campaign
    from db.domain.campaign import StageState
    from db.domain.specs import find_spec
    from db.models import Campaign
    from db.repository.cases import find_stage
    from pipelines.report import write_report
    from pipelines.simulate.films import add_phantoms
    from pipelines.simulate.reading import find_readers

    with record.database.write() as session:
        if session.scalar(select(Campaign).where(Campaign.name == CAMPAIGN)) is None:
            create_campaign(session, CAMPAIGN, find_spec(size.spec))
        readers = find_readers(session, READERS, seed=1)
        is_new = find_stage(session, f"{CAMPAIGN}/I").state is StageState.DRAFT
    if is_new:
        click.echo("Making phantom films.")
        n_infected = size.first + size.second + size.visitor
        add_phantoms(record, n_infected=n_infected, n_normal=size.normal)
    for stage, n_cases in {"I": size.first, "II": size.second}.items():
        _run_stage(record, f"{CAMPAIGN}/{stage}", n_cases, readers)
    _run_stage(record, f"{CAMPAIGN}/III", size.visitor, [])
    _run_benchmark(record, size.spec)
    write_report(record, CAMPAIGN, record.settings.reports_folder / f"{CAMPAIGN}.html")


def _run_stage(record: "Record", address: str, n_cases: int, readers: "Sequence[SimulatedReader]") -> None:
    """Take a stage from wherever it stands to closed; without readers only until it can be read."""
    from annotation_server.services import coordinating
    from annotation_server.services.reading import ReadingService
    from db.domain.campaign import RoundState, StageState
    from db.repository.cases import find_stage
    from pipelines.simulate.reading import draw_stage, read_stage

    while True:
        with record.database.read() as session:
            status = coordinating.stage_status(session, find_stage(session, address))
        match status.state, status.round_state:
            case StageState.DRAFT, _:
                with record.database.write() as session:
                    coordinating.open_stage(session, address, n_cases=n_cases)
            case StageState.OPEN, RoundState.DRAWING:
                if address.endswith("/I"):
                    draw_stage(record, address, readers, target_dice=TARGET_DICE)
                coordinating.request_training(record, address)
            case StageState.OPEN, RoundState.TRAINING:
                click.echo(f"Stage {address}: training.")
                _follow(record, status.job.id if status.job else 0)
            case StageState.OPEN, _ if not readers:
                return
            case StageState.OPEN, _:
                click.echo(f"Stage {address}: simulated readers judge {status.n_comparisons} comparisons.")
                read_stage(record, ReadingService(record), address, readers)
                coordinating.lock_stage(record, address)
            case StageState.LOCKED, _:
                coordinating.unblind_stage(record, address)
            case StageState.UNBLINDED, _:
                with record.database.write() as session:
                    coordinating.close_stage(session, address)
            case _:
                return


def _run_benchmark(record: "Record", spec: str) -> None:
    from sqlalchemy import select

    from db import jobs
    from db.domain.provenance import JobKind, JobState
    from db.models import Job
    from db.repository.cases import find_campaign

    with record.database.write() as session:
        campaign = find_campaign(session, CAMPAIGN)
        query = select(Job).where(Job.kind == JobKind.BENCHMARK, Job.state.in_([JobState.DONE, *JobState.active()]))
        job = session.scalar(query.order_by(Job.id.desc()))
        if job is None:
            job = jobs.enqueue(
                session, kind=JobKind.BENCHMARK, campaign_id=campaign.id, arguments={"spec": spec, "settings": {}}
            )
        job_id = job.id
    click.echo("Benchmark: networks cross-validated on the final masks.")
    _follow(record, job_id)


def _follow(record: "Record", job_id: int) -> None:
    """Show a job's progress until the worker beside us has ended it."""
    from pipelines.cli.worker import check_outcome, shown_progress

    with shown_progress(record, job_id) as is_ended:
        while not is_ended():
            time.sleep(POLL_S)
    check_outcome(record, job_id)
