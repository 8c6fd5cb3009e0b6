"""Which workers are alive: each holds a lock as long as its process lives, whatever ends it.

On one machine the lock is a file's (`flock`); on PostgreSQL it is a session's advisory lock, so that machines that
share nothing but the database see each other.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from db.record import Record

Check = Callable[[], object]
"""Raises where the lock was lost: an advisory lock ends with its session, which a server's restart takes away."""


def worker_lock(record: Record, worker: str) -> AbstractContextManager[Check | None]:
    """Try to hold the lock of `worker` for the length of a block.

    The block gets a check that the lock is still held, or None where a process of that name is alive.
    """
    if record.database.is_sqlite:
        return _file_lock(record.settings.home / "workers" / f"{worker}.lock")
    return _session_lock(record.database.engine, worker)


@contextmanager
def _file_lock(path: Path) -> Iterator[Check | None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file.fileno  # cannot be lost


@contextmanager
def _session_lock(engine: Engine, worker: str) -> Iterator[Check | None]:
    key = {"worker": worker}
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        if not session.scalar(text("SELECT pg_try_advisory_lock(hashtextextended(:worker, 0))"), key):
            yield None
            return
        try:
            yield lambda: session.execute(text("SELECT 1"))
        except BaseException:
            session.invalidate()  # in the pool it would keep the lock
            raise
        session.execute(text("SELECT pg_advisory_unlock(hashtextextended(:worker, 0))"), key)
