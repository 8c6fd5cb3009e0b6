"""The patient's other films: which there are, in what order, and that looking at them is recorded."""

from datetime import date

import pytest
from sqlalchemy import select

from annotation_server.services.withdrawing import withdraw_patient
from db.domain.campaign import SHOWS_IDENTIFIER, Arm
from db.domain.errors import NotAllowedError, NotFoundError, StateError
from db.domain.study import SerialFilms
from db.domain.verdict import Decision, VerdictKind
from db.models import CampaignCase, CaseRow, Verdict

PICK = Decision(VerdictKind.PICK, slot=0)
FIRST = date(2021, 3, 4)


@pytest.fixture
def serial(record, room, design):
    """`serial(rule, 0, -14, None)`: a stage in which r2 reads the first film of a patient with one of each date.

    Dates are days from the first, None for a film without one. The view, and the films' rows.
    """

    def build(rule, *days):
        campaign = design(serial_films=rule)
        with record.database.write() as session:
            rows = session.scalars(select(CaseRow).order_by(CaseRow.id).limit(len(days))).all()
            for row, day in zip(rows, days, strict=True):
                row.patient = "one"
                row.taken_on = None if day is None else date.fromordinal(FIRST.toordinal() + day)
        campaign.open("I").train("I")
        view = next(view for view in views(room) if room.seat_of(view).case_id == rows[0].id)
        return view, rows

    return build


def views(room):
    while view := room.next_comparison(2, 1):
        yield view
        room.say(2, view)


def told(films):
    return [(film.order, film.days) for film in films]


def test_films_stand_in_order_of_acquisition_with_days_from_the_one_that_is_read(room, serial):
    view, _ = serial(SerialFilms.WITH_DATES, 0, 30, -14, 2)
    assert view.n_serial_films == 3
    assert told(room.serial_films(2, view.token)) == [("before", -14), ("present", 0), ("after", 2), ("after", 30)]


def test_without_dates_the_order_is_all_that_is_told(room, serial):
    view, _ = serial(SerialFilms.WITHOUT_DATES, 0, 30, -14)
    assert told(room.serial_films(2, view.token)) == [("before", None), ("present", None), ("after", None)]


def test_films_without_a_date_come_last_and_of_one_day_nothing_is_said_about_what_came_first(room, serial):
    view, _ = serial(SerialFilms.WITH_DATES, 0, None, 0, 5)
    assert told(room.serial_films(2, view.token)) == [("present", 0), ("unknown", 0), ("after", 5), ("unknown", None)]
    assert len(room.serial_films(2, view.token)) == 1 + view.n_serial_films


def test_of_a_film_without_a_date_nobody_knows_what_came_before(room, serial):
    view, _ = serial(SerialFilms.WITH_DATES, None, 0, 5)
    assert told(room.serial_films(2, view.token)) == [("unknown", None), ("unknown", None), ("present", 0)]


def test_each_name_opens_its_film_in_its_comparison_only(room, serial):
    view, rows = serial(SerialFilms.WITH_DATES, 0, 1)
    names = [film.name for film in room.serial_films(2, view.token)]
    assert (
        room.serial_film(2, view.token, names[0])
        == room.film(2, view.token)
        != room.serial_film(2, view.token, names[1])
    )
    list(views(room))
    of_others = [one for one in room.history(2, 1) if room.seat_of(one).case_id not in {row.id for row in rows}]
    for token, reader, name in (
        (of_others[0].token, 2, names[1]),
        (view.token, 3, names[1]),
        (view.token, 2, str(rows[1].id)),
    ):
        with pytest.raises(NotFoundError):
            room.serial_film(reader, token, name)


def test_a_stage_that_hides_them_says_nothing_and_refuses(room, serial):
    view, _ = serial(SerialFilms.HIDDEN, 0, 1, 2)
    assert view.n_serial_films == 0
    for ask in (room.serial_films, lambda *who: room.serial_film(*who, "x")):
        with pytest.raises(NotAllowedError, match="shows no other films"):
            ask(2, view.token)


def test_films_of_other_patients_and_of_no_campaign_are_not_among_them(record, room, campaign_builder, serial):
    view, _ = serial(SerialFilms.WITH_DATES, 0, 1)
    with record.database.write() as session:
        stranger = campaign_builder.case(99)
        stranger.patient, stranger.taken_on = "one", FIRST
        session.add(stranger)
    assert told(room.serial_films(2, view.token)) == [("present", 0), ("after", 1)]


@pytest.mark.parametrize(("reason", "n_shown"), [(SHOWS_IDENTIFIER, 1), ("shares a patient with an earlier stage", 2)])
def test_a_film_that_was_taken_away_is_gone_and_one_that_no_stage_reads_is_not(record, room, serial, reason, n_shown):
    view, rows = serial(SerialFilms.WITH_DATES, 0, 1)
    [_, name] = [film.name for film in room.serial_films(2, view.token)]
    with record.database.write() as session:
        member = session.get_one(CampaignCase, (1, rows[1].id))
        member.arm, member.reason = Arm.SET_ASIDE, reason
    assert len(room.serial_films(2, view.token)) == n_shown
    if n_shown == 1:
        with pytest.raises(NotFoundError, match="not any more"):
            room.serial_film(2, view.token, name)


def test_a_patient_who_withdrew_is_seen_nowhere(record, room, serial):
    view, rows = serial(SerialFilms.WITH_DATES, 0, 1)
    [_, name] = [film.name for film in room.serial_films(2, view.token)]
    with record.database.read() as session:
        key = session.get_one(CaseRow, rows[1].id).key
    withdraw_patient(record, key, reason="asked")
    with pytest.raises((NotFoundError, StateError)):
        room.serial_films(2, view.token)
    with pytest.raises((NotFoundError, StateError)):
        room.serial_film(2, view.token, name)


def test_whether_they_were_looked_at_stands_with_each_verdict(record, room, serial):
    view, _ = serial(SerialFilms.WITHOUT_DATES, 0, 1)
    room.say(2, view)
    room.serial_films(2, view.token)
    room.decide(2, view.token, PICK, idempotency_key="again", drawing=None)
    other = room.next_comparison(2, 1)
    room.say(2, other)
    with record.database.read() as session:
        saw = {
            token: [
                one.saw_serial_films
                for one in session.scalars(select(Verdict).order_by(Verdict.id))
                if one.comparison.token == token
            ]
            for token in (view.token, other.token)
        }
    assert saw == {view.token: [False, True], other.token: [False]}


def test_a_reader_who_takes_a_seat_over_has_seen_nothing(record, room, serial):
    view, _ = serial(SerialFilms.WITHOUT_DATES, 0, 1)
    room.serial_films(2, view.token)
    assert room.seat_of(view).serial_seen_at
    with record.database.write() as session:
        seat = room.seat_of(view)
        session.merge(seat).leased_until = seat.claimed_at
    while taken := room.next_comparison(3, 1):
        if room.seat_of(taken).id == seat.id:
            break
        room.say(3, taken)
    assert taken
    assert room.seat_of(taken).serial_seen_at is None
