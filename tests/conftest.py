"""What all tests share: the films, the browser and the database server of this machine, or the reason to do without."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import hypothesis
import pytest
from sqlalchemy import create_engine, make_url, text

if TYPE_CHECKING:
    from db.record import Record

ROOT = Path(__file__).parents[1]
FILMS = ROOT.parent / "shared" / "data"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_configure() -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("OVERREAD_") and name != "OVERREAD_REQUIRE"]:
        del os.environ[name]
    os.environ.setdefault("MPLBACKEND", "Agg")
    hypothesis.settings.register_profile("untimed", deadline=None)
    hypothesis.settings.load_profile("untimed")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker for all tests that load TensorFlow, and for each other file."""
    networks = ROOT / "tests" / "unit" / "ml_backend"
    for item in items:
        if item.path.is_relative_to(networks):
            item.add_marker(pytest.mark.keras)
        group = "keras" if item.get_closest_marker("keras") else str(item.path.relative_to(ROOT))
        item.add_marker(pytest.mark.xdist_group(group))


def _do_without(name: str, reason: str) -> NoReturn:
    if name in os.environ.get("OVERREAD_REQUIRE", "").split(","):
        pytest.fail(f"OVERREAD_REQUIRE names {name}, but {reason}")
    pytest.skip(f"{name}: {reason}")


@pytest.fixture(scope="session")
def require() -> Callable[[str, str], NoReturn]:
    """`require("label-studio", "it is not installed")` skips the test, or fails where OVERREAD_REQUIRE names it."""
    return _do_without


@pytest.fixture(scope="session")
def films_folder() -> Path:
    """The real films beside the checkout."""
    if not (FILMS / "README.md").is_file():
        _do_without("films", "there is no folder ../shared/data beside the checkout")
    return FILMS


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser, for Playwright's `executable_path`."""
    for browser in filter(None, map(shutil.which, BROWSERS)):
        if subprocess.run([browser, "--version"], capture_output=True, check=False).returncode == 0:
            return browser
    _do_without("browser", f"none of {', '.join(BROWSERS)} is on PATH and starts")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a throw-away PostgreSQL server on a Unix socket; a server refuses root, so as user postgres there."""
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *map(Path, os.environ["PATH"].split(os.pathsep))]
    binaries = next((folder for folder in folders if (folder / "initdb").exists()), None)
    if binaries is None:
        _do_without("postgres", "its server programs (initdb, pg_ctl) are not installed")
    folder = Path(tempfile.mkdtemp(prefix="overread-postgres-", dir="/tmp"))  # a socket's path is short
    prefix: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = str(folder / "data")
    log = str(folder / "log")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"

    def run(program: str, *arguments: str) -> None:
        command = [*prefix, str(binaries / program), "-D", data, *arguments]
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    try:
        run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        run("pg_ctl", "start", "--wait", "--log", log, "--options", options)
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
        run("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of an empty database on the throw-away server, dropped after the test."""
    name = f"test_{uuid.uuid4().hex}"
    server = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database: the test runs once on SQLite and once on PostgreSQL."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path / 'overread.sqlite'}"


@pytest.fixture
def build_room(tmp_path: Path) -> Iterator[Callable[..., "Record"]]:
    """`build_room(n_cases=6, readers=("r1",), url="", n_seats=1, home=None)`: a record whose stage pilot/I is read.

    Every case has four candidates, three networks' and a drawing; every other film has a lung mask. The same
    arguments make the same rows and files.
    """
    records = []

    def build(
        *, n_cases: int = 6, readers: Sequence[str] = ("r1",), url: str = "", n_seats: int = 1, home: Path | None = None
    ) -> "Record":
        records.append(_room(home or tmp_path, url, n_cases, readers, n_seats))
        return records[-1]

    yield build
    for record in records:
        record.database.dispose()


def _room(home: Path, url: str, n_cases: int, readers: Sequence[str], n_seats: int) -> "Record":
    import numpy as np

    from db.accounts import add_account
    from db.artifacts import Store
    from db.domain.campaign import Arm, CampaignDefinition, RoundState, StageDefinition, StageState
    from db.domain.case import CaseClass, View
    from db.domain.network import NetworkSpec
    from db.domain.provenance import JobKind, JobState, MaskOrigin, Role
    from db.domain.recipe import TrainingRecipe
    from db.domain.study import MAX_RANK
    from db.models import (
        Base,
        Campaign,
        CampaignCase,
        Candidate,
        CaseRow,
        Checkpoint,
        Comparison,
        Job,
        MaskRow,
        Round,
        Stage,
    )
    from db.record import Record
    from db.session import Database
    from db.settings import Settings

    settings = Settings(home=home, db=url, secret_key="k" * 40)
    record = Record(settings, Database.of(settings), Store(settings.store_folder))
    Base.metadata.create_all(record.database.engine)
    networks = tuple(NetworkSpec("unet", encoder) for encoder in ("tiny", "densenet121", "resnet50"))
    stage = StageDefinition("I", networks, with_drawing=True, recipe=TrainingRecipe())
    rng = np.random.default_rng(0)
    places = np.random.default_rng(1).permutation(n_cases)
    films = [record.store.put_film(rng.integers(0, 4000, (60, 50), np.uint16)) for _ in range(3)]
    maps = [record.store.put_map(rng.random((16, 16), np.float32)) for _ in range(12)]
    masks = [record.store.put_mask(rng.random((60, 50)) > 0.4) for _ in range(4)]
    lungs = record.store.put_mask(np.pad(np.ones((40, 30), bool), 10))
    with record.database.write() as session:
        accounts = [add_account(session, code, Role.READER) for code in readers]
        campaign = Campaign(name="pilot", definition_json=CampaignDefinition((stage,)).to_json())
        campaign.stages = [Stage(name="I", position=0, state=StageState.OPEN)]
        campaign.stages[0].rounds = [Round(number=1, state=RoundState.READING)]
        cases = [
            CaseRow(
                key=f"secret-case-{i}",
                patient=f"secret-patient-{i}",
                component=f"secret-case-{i}",
                case_class=CaseClass.INFECTION,
                view=View.PA,
                source="secret-source",
                licence="CC0",
                width_px=50,
                height_px=60,
                film_digest=films[i % 3],
                lung_digest=None if i % 2 else lungs,
                fingerprint=b"",
            )
            for i in range(n_cases)
        ]
        session.add_all([campaign, *cases])
        session.flush()
        round_ = campaign.stages[0].rounds[0]
        job = Job(kind=JobKind.TRAIN, workflow_id="w", campaign_id=campaign.id, round_id=round_.id, state=JobState.DONE)
        session.add(job)
        session.flush()
        checkpoints = [
            Checkpoint(job_id=job.id, network=network.name, fold=0, key="k" * 64, weights_digest="w" * 64, card={})
            for network in networks
        ]
        session.add_all(checkpoints)
        session.flush()
        for i, case in enumerate(cases):
            place = {"campaign_id": campaign.id, "case_id": case.id}
            offered = [
                MaskRow(origin=MaskOrigin.NETWORK, map_digest=maps[(3 * i + k) % 12], checkpoint_id=one.id, **place)
                for k, one in enumerate(checkpoints)
            ]
            drawing = MaskRow(origin=MaskOrigin.DRAWING, digest=masks[i % 4], account_id=accounts[0].id, **place)
            session.add_all(
                Candidate(round_id=round_.id, case_id=case.id, position=int(position), mask=mask)
                for position, mask in zip(rng.permutation(4), [*offered, drawing], strict=True)
            )
            member = CampaignCase(
                arm=Arm.READ, stage_id=campaign.stages[0].id, component=case.component, fold=0, **place
            )
            session.add(member)
            rank = int(places[i]) * MAX_RANK // n_cases
            session.add_all(
                Comparison(round_id=round_.id, case_id=case.id, seat=seat, rank=rank) for seat in range(n_seats)
            )
    return record
