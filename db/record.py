"""Everything that is kept, behind one handle: settings, rows and files."""

from dataclasses import dataclass
from typing import Self

from db.artifacts import Store
from db.session import Database
from db.settings import Settings, read_settings


@dataclass(frozen=True)
class Record:
    """The settings, the database and the store that belong together."""

    settings: Settings
    database: Database
    store: Store

    @classmethod
    def open(cls, settings: Settings | None = None) -> Self:
        """The record that the settings name, its schema brought up to date."""
        from db.migrations import upgrade  # noqa: PLC0415 - Alembic is not needed by those who hold a record already

        settings = settings or read_settings()
        database = Database.of(settings)
        upgrade(database)
        return cls(settings, database, Store(settings.store_folder))
