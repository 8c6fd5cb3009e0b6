import zlib
from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.drafting import DraftingService, Drawing, StaleDraftError
from annotation_server.services.reading import ReadingService
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.mask import pack, unpack
from db.domain.verdict import Decision, VerdictKind
from db.models import Account, Candidate, Comparison, Draft, Stage, Verdict, now

HEIGHT, WIDTH = 60, 50
REDRAW, PICK = Decision(VerdictKind.DENY_ALL), Decision(VerdictKind.PICK, slot=0)


@pytest.fixture
def record(build_room):
    return build_room(readers=["r1", "r2"])


@pytest.fixture
def drafting(record):
    return DraftingService(record)


@pytest.fixture
def reading(record):
    return ReadingService(record)


@pytest.fixture
def readers(record):
    with record.database.read() as session:
        return list(session.scalars(select(Account.id).order_by(Account.code)))


@pytest.fixture
def token(reading, readers):
    return reading.next_comparison(readers[0], 1).token


@pytest.fixture
def allow_start(record):
    """Let redraws of the stage start from a candidate."""

    def allow():
        with record.database.write() as session:
            campaign = session.scalars(select(Stage)).one().campaign
            campaign.definition_json = campaign.definition_json.replace(
                '"redraw_from_candidate":false', '"redraw_from_candidate":true'
            )

    return allow


def drawing(seed=0, slot=None, started_from=None):
    return Drawing(slot, zlib.compress(pack(pixels(seed))), started_from)


def pixels(seed=0):
    return np.random.default_rng(seed).random((HEIGHT, WIDTH)) > 0.5


def test_a_draft_comes_back_with_its_revision(drafting, readers, token):
    assert drafting.draft(readers[0], token) is None
    revision = drafting.keep(readers[0], token, drawing(1, slot=2), made_from=None)
    kept = drafting.draft(readers[0], token)
    assert (kept.revision, kept.drawing) == (revision, drawing(1, slot=2))
    assert 0 <= kept.age_s < 60


def test_a_draft_made_from_the_last_one_replaces_it(drafting, readers, token):
    first = drafting.keep(readers[0], token, drawing(1), made_from=None)
    second = drafting.keep(readers[0], token, drawing(2), made_from=first)
    assert second == first + 1
    assert drafting.draft(readers[0], token).drawing == drawing(2)


@pytest.mark.parametrize("offset", [None, -1, 1])
def test_a_stale_draft_is_refused_and_overwrites_nothing(drafting, readers, token, offset):
    first = drafting.keep(readers[0], token, drawing(1), made_from=None)
    made_from = None if offset is None else first + offset
    with pytest.raises(StaleDraftError, match=f"it has revision {first}, this one was made from {made_from}"):
        drafting.keep(readers[0], token, drawing(2), made_from=made_from)
    with pytest.raises(StaleDraftError):
        drafting.discard(readers[0], token, revision=first + 1)
    assert drafting.draft(readers[0], token).drawing == drawing(1)


def test_a_draft_sent_again_after_a_lost_answer_is_not_stale(drafting, readers, token):
    first = drafting.keep(readers[0], token, drawing(1), made_from=None)
    assert drafting.keep(readers[0], token, drawing(1), made_from=None) == first


def test_a_draft_begun_anew_is_not_taken_for_the_discarded_one(drafting, readers, token):
    first = drafting.keep(readers[0], token, drawing(1), made_from=None)
    drafting.discard(readers[0], token, revision=first)
    drafting.discard(readers[0], token, revision=first)
    assert drafting.draft(readers[0], token) is None
    assert drafting.keep(readers[0], token, drawing(2), made_from=first) != first


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        (b"", "takes 375 bytes in one zlib stream, 0 were received"),
        (b"not zlib at all", "not a zlib stream"),
        (zlib.compress(bytes(374)), "takes 375 bytes in one zlib stream, 374 were received"),
        (zlib.compress(bytes(2**26)), "takes 375 bytes in one zlib stream, more were received"),
        (zlib.compress(bytes(375))[:-1], "375 were received"),
        (zlib.compress(bytes(375)) + b"tail", "375 were received"),
    ],
    ids=["nothing", "noise", "short", "huge", "cut", "tail"],
)
def test_a_payload_of_another_length_is_refused(record, drafting, readers, token, bits, message):
    with pytest.raises(InputError, match=message):
        drafting.keep(readers[0], token, Drawing(None, bits), made_from=None)
    with record.database.read() as session:
        assert session.scalars(select(Draft)).all() == []


@pytest.mark.parametrize("slots", [{"slot": 4}, {"slot": -1}, {"started_from": 4}])
def test_a_slot_that_is_not_there_is_refused(drafting, readers, token, slots):
    with pytest.raises(InputError, match="the comparison has 4 candidates"):
        drafting.keep(readers[0], token, drawing(**slots), made_from=None)


def test_the_draft_of_another_reader_does_not_exist(drafting, readers, token):
    drafting.keep(readers[0], token, drawing(), made_from=None)
    for attempt in (
        lambda: drafting.draft(readers[1], token),
        lambda: drafting.keep(readers[1], token, drawing(), made_from=None),
        lambda: drafting.discard(readers[1], token, revision=1),
        lambda: drafting.own_drawing(readers[1], token),
    ):
        with pytest.raises(NotFoundError):
            attempt()


def test_a_locked_stage_takes_no_draft(record, drafting, readers, token):
    with record.database.write() as session:
        session.scalars(select(Stage)).one().state = "locked"
    with pytest.raises(StateError, match="locked"):
        drafting.keep(readers[0], token, drawing(), made_from=None)


@pytest.mark.parametrize("decision", [REDRAW, PICK])
def test_a_verdict_takes_its_draft_away(record, drafting, reading, readers, token, decision):
    drafting.keep(readers[0], token, drawing(1), made_from=None)
    bits = pack(pixels(1)) if decision is REDRAW else None
    reading.decide(readers[0], token, decision, idempotency_key="key-1", drawing=bits)
    assert drafting.draft(readers[0], token) is None
    with record.database.read() as session:
        assert session.scalars(select(Draft)).all() == []


def test_who_takes_over_a_case_does_not_see_what_was_drawn_before(build_room, tmp_path):
    record = build_room(n_cases=1, readers=["r1", "r2"], home=tmp_path / "one")
    drafting, reading = DraftingService(record), ReadingService(record)
    first = reading.next_comparison(1, 1)
    assert first
    drafting.keep(1, first.token, drawing(), made_from=None)
    with record.database.write() as session:
        session.scalars(select(Comparison)).one().leased_until = now() - timedelta(minutes=1)
    assert drafting.draft(1, first.token)
    second = reading.next_comparison(2, 1)
    assert second
    assert drafting.draft(2, second.token) is None
    with pytest.raises(NotFoundError):
        drafting.draft(1, first.token)


def test_what_was_sent_comes_back_to_its_reader(drafting, reading, readers, token):
    assert drafting.own_drawing(readers[0], token) is None
    decision = Decision(VerdictKind.TOUCH_UP, slot=3)
    reading.decide(readers[0], token, decision, idempotency_key="key-1", drawing=pack(pixels(4)))
    own = drafting.own_drawing(readers[0], token)
    assert own.slot == 3
    assert np.array_equal(unpack(zlib.decompress(own.bits), HEIGHT, WIDTH), pixels(4))
    reading.decide(readers[0], token, PICK, idempotency_key="key-2", drawing=None)
    assert drafting.own_drawing(readers[0], token) is None


def test_a_redraw_from_a_candidate_says_so_and_descends_from_it(record, drafting, reading, readers, token, allow_start):
    decision = Decision(VerdictKind.DENY_ALL, started_from=2)
    with pytest.raises(InputError, match="redraws start blank"):
        reading.decide(readers[0], token, decision, idempotency_key="key-1", drawing=pack(pixels()))
    allow_start()
    reading.decide(readers[0], token, decision, idempotency_key="key-1", drawing=pack(pixels()))
    assert drafting.own_drawing(readers[0], token).started_from == 2
    with record.database.read() as session:
        verdict = session.scalars(select(Verdict)).one()
        seat = verdict.comparison
        shown = select(Candidate.mask_id).where(Candidate.case_id == seat.case_id, Candidate.position == seat.order[2])
        assert verdict.started_from == 2
        assert verdict.mask.parent_id == session.scalars(shown).one()
