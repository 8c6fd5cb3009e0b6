"""The schema's history, and the function that brings a database up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db.session import Database

FOLDER = Path(__file__).parent
LOCK_ID = 7_318_001
"""Advisory lock on PostgreSQL under which one process at a time migrates."""


def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision`, the engine's tables included; does nothing where it is there already."""
    if revision == "head" and is_current(database):
        return
    from db import jobs  # noqa: PLC0415 - the job engine is slow to import and needed by the first start only

    jobs.prepare(database)  # first, so that a current schema says that both are there
    with database.write() as session:  # on SQLite it locks at once: one process at a time migrates there too
        connection = session.connection()
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})
        command.upgrade(_config(connection), revision)


def downgrade(database: Database, revision: str) -> None:
    """Bring the schema back to `revision`."""
    with database.engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def is_current(database: Database) -> bool:
    """Whether the schema is that of this version."""
    with database.engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    return revision == ScriptDirectory.from_config(_config()).get_current_head()
