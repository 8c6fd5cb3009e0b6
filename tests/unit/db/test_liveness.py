import subprocess
import sys

import pytest

from db.liveness import worker_lock
from db.record import Record
from db.settings import Settings

HOLDER = """
import sys, time
from db.liveness import worker_lock
from db.record import Record
from db.settings import Settings

with worker_lock(Record.open(Settings(home=sys.argv[1], db=sys.argv[2])), "gpu0") as check:
    check()
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def record(tmp_path, database_url):
    opened = Record.open(Settings(home=tmp_path, db=database_url))
    yield opened
    opened.database.dispose()


def test_a_lock_is_held_by_one_at_a_time_and_free_again_afterwards(record):
    with (
        worker_lock(record, "gpu0") as first,
        worker_lock(record, "gpu0") as second,
        worker_lock(record, "gpu1") as other,
    ):
        assert first is not None
        assert second is None
        assert other is not None
        first()
    with worker_lock(record, "gpu0") as again:
        assert again is not None


def test_a_killed_process_holds_nothing(record):
    command = [sys.executable, "-c", HOLDER, record.settings.home, record.settings.db]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with worker_lock(record, "gpu0") as check:
            assert check is None
        process.kill()
        process.wait()
    with worker_lock(record, "gpu0") as check:
        assert check is not None


@pytest.mark.postgres
def test_a_lost_session_is_noticed(tmp_path, postgres_url):
    from sqlalchemy import text
    from sqlalchemy.exc import DBAPIError

    record = Record.open(Settings(home=tmp_path, db=postgres_url))
    kill_others = text("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

    def lose() -> None:
        with worker_lock(record, "gpu0") as check, record.database.engine.connect() as other:
            assert check is not None
            other.execute(kill_others)
            check()

    with pytest.raises(DBAPIError):
        lose()
    record.database.dispose()
