"""The log's chain: whatever is done to it afterwards is seen."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import DatabaseError

from db import audit
from db.domain.audit import AuditAction, ChainHead
from db.domain.errors import InputError
from db.models import AuditEntry, Base
from db.record import Record
from db.session import Database
from db.settings import Settings


def write(database, n=5):
    for i in range(n):
        with database.write() as session:
            audit.log(session, "c1", AuditAction.STAGE_AMENDED, "pilot/I", reason=f"reason {i}", readers=["r1", i])


def verify(record, noted=None):
    with record.database.read() as session:
        return audit.verify(session, noted)


@pytest.fixture
def written(record):
    write(record.database)
    return record


def test_an_untouched_log_is_whole(record):
    assert verify(record) is None
    write(record.database)
    assert verify(record) is None
    with record.database.read() as session:
        assert audit.head(session).number == 5


def test_an_entry_stands_only_if_its_act_does(record):
    def act():
        with record.database.write() as session:
            audit.log(session, "c1", AuditAction.STAGE_LOCKED, "pilot/I")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    with record.database.read() as session:
        assert audit.head(session) == ChainHead()


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "c2"},
        {"action": "exported"},
        {"subject": "pilot/II"},
        {"detail": {"reason": "another"}},
        {"software_version": "0"},
        {"created_at": AuditEntry.created_at},
        {"digest": "0" * 64},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_edited_entry_is_found(written, change):
    with written.database.write() as session:
        entry = session.get_one(AuditEntry, 3)
        for name, value in change.items():
            setattr(entry, name, entry.created_at + timedelta(seconds=1) if name == "created_at" else value)
    found = verify(written)
    assert found is not None
    assert found.number == 3


@pytest.mark.parametrize("number", [1, 3])
def test_a_deleted_entry_is_found(written, number):
    with written.database.write() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id == number))
    assert str(verify(written)) == f"Entry {number} is missing."


def test_a_deleted_entry_is_found_even_when_the_later_ones_are_numbered_anew(written):
    with written.database.write() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id == 3))
        session.execute(update(AuditEntry).where(AuditEntry.id == 4).values(id=3))
    found = verify(written)
    assert found is not None
    assert found.number == 3


def test_exchanged_entries_are_found(written):
    with written.database.write() as session:
        for before, after in [(2, 99), (3, 2), (99, 3)]:
            session.execute(update(AuditEntry).where(AuditEntry.id == before).values(id=after))
    found = verify(written)
    assert found is not None
    assert found.number == 2


def test_a_cut_end_is_found_by_the_head_that_was_noted(written, tmp_path):
    assert audit.noted_head(tmp_path) is None
    with written.database.read() as session:
        audit.note_head(tmp_path, audit.head(session))
    noted = audit.noted_head(tmp_path)
    with written.database.write() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.id >= 4))
    assert verify(written) is None, "the chain alone cannot tell"
    found = verify(written, noted)
    assert found is not None
    assert found.number == 4


def test_a_log_written_anew_is_found_by_the_head_that_was_noted(written):
    with written.database.write() as session:
        noted = audit.head(session)
        session.execute(delete(AuditEntry))
    write(written.database, 7)
    assert verify(written) is None
    found = verify(written, noted)
    assert found is not None
    assert found.number == 5


def test_a_log_that_grew_since_its_head_was_noted_is_whole(written):
    with written.database.read() as session:
        noted = audit.head(session)
    write(written.database, 2)
    assert verify(written, noted) is None


def test_a_note_that_is_damaged_is_no_silent_pass(tmp_path):
    (tmp_path / audit.HEAD_FILE).write_text("{}!")
    with pytest.raises(InputError, match="cannot be read"):
        audit.noted_head(tmp_path)


def test_those_who_log_at_once_make_one_chain(database_url):
    database = Database(database_url)
    Base.metadata.create_all(database.engine)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: write(database, 5), range(8)))
    with database.read() as session:
        assert audit.head(session).number == 40
        assert audit.verify(session) is None
    database.dispose()


@pytest.mark.parametrize("act", [update(AuditEntry).values(actor="c2"), delete(AuditEntry)], ids=["update", "delete"])
def test_the_database_refuses_to_change_the_log(database_url, tmp_path, act):
    record = Record.open(Settings(home=tmp_path, db=database_url))
    write(record.database, 1)
    with pytest.raises(DatabaseError, match="append-only"), record.database.write() as session:
        session.execute(act)
    with record.database.read() as session:
        assert session.scalars(select(AuditEntry.actor)).all() == ["c1"]
    record.database.dispose()
