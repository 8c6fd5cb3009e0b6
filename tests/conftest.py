"""What all tests share: the films, the browser and the database server of this machine, or the reason to do without."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import create_engine, make_url, text

ROOT = Path(__file__).parents[1]
FILMS = ROOT.parent / "shared" / "data"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_configure() -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("OVERREAD_") and name != "OVERREAD_REQUIRE"]:
        del os.environ[name]
    os.environ.setdefault("MPLBACKEND", "Agg")
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
