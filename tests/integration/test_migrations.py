"""The schema's history on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import delete, inspect, select, text, update
from sqlalchemy.exc import DatabaseError

from db.domain.case import CaseClass, View
from db.domain.provenance import Role
from db.domain.verdict import VerdictKind
from db.migrations import downgrade, is_current, upgrade
from db.models import Account, Base, Campaign, CaseRow, Comparison, Round, Stage, Verdict
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


def test_a_stage_of_an_older_schema_has_no_chosen_networks_and_outlives_both_directions(database):
    upgrade(database, "0001")
    with database.engine.begin() as connection:
        connection.execute(text("INSERT INTO campaign VALUES (1, 'pilot', '{}', '2026-01-01')"))
        row = "(id, campaign_id, name, position, state) VALUES (1, 1, 'I', 0, 'draft')"
        connection.execute(text("INSERT INTO stage " + row))
    upgrade(database, "0002")
    with database.write() as session:
        assert session.scalars(select(Stage.ensemble)).one() is None
        session.execute(update(Stage).values(ensemble={"networks": ["dla-tiny"]}))
    downgrade(database, "0001")
    assert "ensemble" not in {column["name"] for column in inspect(database.engine).get_columns("stage")}
    with database.engine.connect() as connection:
        assert connection.execute(text("SELECT name, state FROM stage")).all() == [("I", "draft")]


@pytest.fixture
def verdict(database):
    """A current database with one verdict; its id."""
    upgrade(database)
    with database.write() as session:
        account = Account(code="r1", role=Role.READER, fs_uniquifier="r1")
        campaign = Campaign(name="pilot", definition_json="{}", stages=[Stage(name="I", position=0)])
        campaign.stages[0].rounds = [Round(number=1)]
        case = CaseRow(
            key="c1",
            patient="p1",
            component="c1",
            case_class=CaseClass.INFECTION,
            view=View.PA,
            source="test",
            licence="CC0",
            width_px=40,
            height_px=50,
            film_digest="f" * 64,
            fingerprint=b"",
        )
        session.add_all([account, campaign, case])
        session.flush()
        seat = Comparison(round_id=campaign.stages[0].rounds[0].id, case_id=case.id)
        said = Verdict(
            comparison=seat,
            revision=1,
            account=account,
            kind=VerdictKind.PICK,
            slot=0,
            idempotency_key="key",
            protocol_digest="protocol",
        )
        session.add(said)
        session.flush()
        return said.id


@pytest.mark.parametrize("act", [update(Verdict).values(slot=1), delete(Verdict)], ids=["update", "delete"])
def test_the_database_refuses_to_change_a_verdict_also_after_down_and_up_again(database, verdict, act):
    downgrade(database, "0008")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE verdict SET slot = 2"))
    upgrade(database)
    with pytest.raises(DatabaseError, match="append-only"), database.write() as session:
        session.execute(act)
    with database.read() as session:
        assert session.get_one(Verdict, verdict).slot == 2


def test_upgrading_twice_changes_nothing(database):
    upgrade(database)
    upgrade(database)
    assert is_current(database)
