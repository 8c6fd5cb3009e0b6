from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from annotation_server.services.pacing import N_DAYS, stage_pace
from db.models import Comparison, Stage

LAST = datetime(2026, 5, 31, 23, 30, tzinfo=UTC)


def pace(record, ages_of_reader):
    """The pace after each reader decided seats so many days before the last."""
    with record.database.write() as session:
        seats = iter(session.scalars(select(Comparison)))
        for account_id, ages in ages_of_reader.items():
            for age in ages:
                seat = next(seats)
                seat.account_id, seat.token, seat.decided_at = account_id, f"t{seat.id}", LAST - timedelta(days=age)
        session.flush()
        return stage_pace(session, session.scalars(select(Stage)).one())


def test_seats_are_counted_by_reader_and_day_with_the_idle_days_between(build_room):
    found = pace(build_room(readers=("r1", "r2")), {1: [2, 2, 0], 2: [1]})
    assert [day.isoformat() for day in found.days] == ["2026-05-29", "2026-05-30", "2026-05-31"]
    assert found.of_reader == {"r1": [2, 0, 1], "r2": [0, 1, 0]}


def test_only_the_last_days_are_told(build_room):
    found = pace(build_room(), {1: [300, 0]})
    assert len(found.days) == N_DAYS
    assert sum(found.of_reader["r1"]) == 1


def test_before_the_first_verdict_there_is_no_pace(build_room):
    assert pace(build_room(), {}) is None
