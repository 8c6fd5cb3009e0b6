"""The schema's history on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from db.migrations import downgrade, is_current, upgrade
from db.models import Base
from db.session import Database


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.dispose()


def our_tables(database):
    return set(inspect(database.engine).get_table_names()) & set(Base.metadata.tables)


def test_the_migrations_make_what_the_models_say(database):
    upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: kind != "table" or name in Base.metadata.tables}
        )
        assert compare_metadata(context, Base.metadata) == []
    assert is_current(database)


def test_down_and_up_again_leaves_the_schema_as_it_was(database):
    upgrade(database)
    before = our_tables(database)
    downgrade(database, "base")
    assert our_tables(database) == set()
    upgrade(database)
    assert our_tables(database) == before == set(Base.metadata.tables)


def test_upgrading_twice_changes_nothing(database):
    upgrade(database)
    upgrade(database)
    assert is_current(database)
