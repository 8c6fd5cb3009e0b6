"""The database: one engine, and the two kinds of transaction that everything uses."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import RLock
from typing import Any

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from db.settings import Settings

BUSY_TIMEOUT_S = 30
POOL_SIZE = 16
"""Connections that stay open: more than the web server's threads, because opening one takes longer than a request."""


class Database:
    """The record behind one URL, SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = create_engine(url, **_engine_options(url))
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self._writing = self.engine.execution_options(writing=True)
        # SQLite lets waiting writers sleep up to 0.1 s between tries; the threads of one process queue here instead.
        self._turn = RLock() if self.is_sqlite else nullcontext()

    @classmethod
    def of(cls, settings: Settings) -> "Database":
        """The database that the settings name; its folder is made where it is embedded."""
        if not settings.db:
            settings.home.mkdir(parents=True, exist_ok=True)
        return cls(settings.database_url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the embedded default is in use."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view; what is changed in it is dropped."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction: durable when the block ends, nothing of it if the block raises.

        On SQLite it takes the write lock at once, so that two writers queue instead of failing half-way.
        """
        with self._turn, Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def analyze(self) -> None:
        """Count the rows anew for the planner: after many came at once it would choose plans for an empty table."""
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": BUSY_TIMEOUT_S, "isolation_level": None}, "pool_size": POOL_SIZE}
    return {"pool_pre_ping": True, "pool_size": POOL_SIZE}


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
