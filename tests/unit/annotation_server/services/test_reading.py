import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage
from annotation_server.services.reading import ReadingService
from db.accounts import add_account
from db.domain.campaign import Arm, RoundState, StageState
from db.domain.errors import InputError, NotFoundError, StateError
from db.domain.mask import canonical_grid_mask, grid_shape, pack, packed_length, unpack
from db.domain.provenance import MaskOrigin, Role
from db.domain.verdict import Decision, UnreadableReason, VerdictKind
from db.models import Account, CampaignCase, Candidate, Comparison, MaskRow, Stage, Verdict, now
from db.repository.finals import settle_round

HEIGHT, WIDTH = 50, 40
PICK = Decision(VerdictKind.PICK, slot=0)


@pytest.fixture
def stage_id(campaign):
    """Stage II, with two candidates a case, ready to be read."""
    campaign.open("I").train("I").read("I")
    lock(campaign, "I")
    campaign.open("II").train("II")
    with campaign.record.database.read() as session:
        return campaign.stage(session, "II").id


def lock(campaign, name):
    with campaign.record.database.write() as session:
        stage = campaign.stage(session, name)
        stage.state, stage.rounds[-1].state = StageState.LOCKED, RoundState.DONE
        round_id = stage.rounds[-1].id
    settle_round(campaign.record, round_id)


@pytest.fixture
def room(record):
    return ReadingService(record)


@pytest.fixture
def reader(campaign):
    return account(campaign.record, "r1")


@pytest.fixture
def other(record):
    with record.database.write() as session:
        return add_account(session, "r2", Role.READER).id


def account(record, code):
    with record.database.read() as session:
        return session.scalars(select(Account.id).where(Account.code == code)).one()


def seat_of(session, view):
    return session.scalars(select(Comparison).where(Comparison.token == view.token)).one()


def expire(record, view):
    with record.database.write() as session:
        seat_of(session, view).leased_until = now().replace(year=2000)


def decide(room, reader, view, decision=PICK, key="k", drawing=None):
    return room.decide(reader, view.token, decision, idempotency_key=key, drawing=drawing)


def test_a_reader_keeps_the_case_until_it_is_decided(room, reader, stage_id):
    first = room.next_comparison(reader, stage_id)
    assert room.next_comparison(reader, stage_id) == first
    decide(room, reader, first)
    second = room.next_comparison(reader, stage_id)
    assert second.token != first.token
    assert (first.n_decided, second.n_decided) == (0, 1)
    assert second.n_left == first.n_left - 1


def test_every_case_is_read_once_and_then_nothing_is_left(record, room, reader, stage_id):
    n_cases = 0
    while view := room.next_comparison(reader, stage_id):
        n_cases += 1
        decide(room, reader, view)
    with record.database.read() as session:
        seats = session.scalars(select(Comparison).where(Comparison.token.is_not(None)))
        read = [seat.case_id for seat in seats if seat.round.stage_id == stage_id]
    assert len(read) == len(set(read)) == n_cases > 10
    assert len(room.history(reader, stage_id)) == n_cases


def test_two_readers_are_given_different_cases_in_different_orders(record, room, reader, other, stage_id):
    views = {who: room.next_comparison(who, stage_id) for who in (reader, other)}
    with record.database.read() as session:
        assert len({seat_of(session, view).case_id for view in views.values()}) == 2


def test_an_expired_lease_passes_to_another_reader_under_a_new_token(record, room, reader, other, stage_id):
    with record.database.write() as session:
        seats = session.scalars(select(Comparison).where(Comparison.account_id.is_(None))).all()
        for seat in seats[1:]:
            session.delete(seat)
    view = room.next_comparison(reader, stage_id)
    assert room.next_comparison(other, stage_id) is None
    expire(record, view)
    taken = room.next_comparison(other, stage_id)
    assert taken.token != view.token
    with pytest.raises(NotFoundError):
        decide(room, reader, view)
    assert decide(room, other, taken) == 1


def test_a_renewed_lease_stays(record, room, reader, stage_id):
    view = room.next_comparison(reader, stage_id)
    expire(record, view)
    room.renew(reader, view.token)
    with record.database.read() as session:
        assert seat_of(session, view).leased_until > now()


def test_a_postponed_case_comes_last(room, reader, stage_id):
    postponed = room.next_comparison(reader, stage_id)
    room.postpone(reader, postponed.token)
    seen = []
    while view := room.next_comparison(reader, stage_id):
        seen.append(view.token)
        decide(room, reader, view)
    assert seen[-1] == postponed.token
    assert len(seen) == len(set(seen))


def test_the_bundle_holds_the_canonical_masks_in_slot_order(record, room, reader, stage_id):
    view = room.next_comparison(reader, stage_id)
    size = packed_length(view.grid_height_px, view.grid_width_px)
    bundle = room.bundle(reader, view.token)
    assert len(bundle) == size * view.n_candidates == size * 2
    with record.database.read() as session:
        seat = seat_of(session, view)
        for slot, position in enumerate(seat.order):
            query = (
                select(MaskRow)
                .join(Candidate)
                .where(
                    Candidate.round_id == seat.round_id,
                    Candidate.case_id == seat.case_id,
                    Candidate.position == position,
                )
            )
            shown = canonical_grid_mask(record.store.get_map(session.scalars(query).one().map_digest), HEIGHT, WIDTH)
            got = unpack(bundle[slot * size : (slot + 1) * size], *grid_shape(HEIGHT, WIDTH))
            assert np.array_equal(got, shown)
            assert 0 < shown.mean() < 1


def test_the_film_is_an_8_bit_grey_png_of_its_size(room, reader, stage_id):
    view = room.next_comparison(reader, stage_id)
    image = Image.open(io.BytesIO(room.film(reader, view.token)))
    assert (image.mode, image.size, image.info) == ("L", (WIDTH, HEIGHT), {})


def test_a_pick_counts_the_candidate_that_stood_in_the_slot(record, room, reader, stage_id):
    view = room.next_comparison(reader, stage_id)
    assert decide(room, reader, view, Decision(VerdictKind.PICK, slot=1, also_acceptable=frozenset({0}))) == 1
    with record.database.read() as session:
        seat = seat_of(session, view)
        query = select(Candidate.mask_id).where(
            Candidate.round_id == seat.round_id, Candidate.case_id == seat.case_id, Candidate.position == seat.order[1]
        )
        assert seat.verdicts[0].mask_id == session.scalars(query).one()
        assert seat.verdicts[0].also_acceptable == [0]
        assert seat.verdicts[0].protocol_digest == seat.round.stage.campaign.definition.digest


def test_a_verdict_carries_the_protocol_with_the_networks_that_were_chosen(record, room, reader, stage_id):
    with record.database.write() as session:
        session.get_one(Stage, stage_id).ensemble = {"networks": ["dla-tiny", "unet-tiny"], "evidence": {}}
    view = room.next_comparison(reader, stage_id)
    decide(room, reader, view, PICK)
    with record.database.read() as session:
        protocol, stage = seat_of(session, view).verdicts[0].protocol_digest, session.get_one(Stage, stage_id)
        assert protocol == stage.protocol_digest != stage.campaign.definition.digest


@pytest.mark.parametrize(
    ("decision", "origin"),
    [
        (Decision(VerdictKind.TOUCH_UP, slot=1), MaskOrigin.TOUCH_UP),
        (Decision(VerdictKind.DENY_ALL), MaskOrigin.REDRAW),
    ],
)
def test_a_drawing_is_kept_bit_for_bit(record, room, reader, stage_id, decision, origin):
    view = room.next_comparison(reader, stage_id)
    mask = np.random.default_rng(1).random((HEIGHT, WIDTH)) > 0.5
    decide(room, reader, view, decision, drawing=pack(mask))
    with record.database.read() as session:
        row = seat_of(session, view).verdicts[0].mask
        assert row.origin is origin
        assert (row.parent_id is None) == (decision.slot is None)
        assert row.account_id == reader
        assert np.array_equal(record.store.get_mask(row.digest), mask)


def test_no_infection_is_an_empty_mask_and_unreadable_is_none(record, room, reader, stage_id):
    first = room.next_comparison(reader, stage_id)
    decide(room, reader, first, Decision(VerdictKind.NO_INFECTION))
    second = room.next_comparison(reader, stage_id)
    decide(room, reader, second, Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.QUALITY))
    with record.database.read() as session:
        empty = seat_of(session, first).verdicts[0].mask
        assert empty.origin is MaskOrigin.EMPTY
        assert record.store.get_mask(empty.digest).shape == (HEIGHT, WIDTH)
        assert not record.store.get_mask(empty.digest).any()
        assert seat_of(session, second).verdicts[0].mask_id is None


def test_the_same_key_again_stores_nothing_and_a_new_one_revises(record, room, reader, stage_id):
    view = room.next_comparison(reader, stage_id)
    assert [decide(room, reader, view, key="a") for _ in range(3)] == [1, 1, 1]
    assert decide(room, reader, view, Decision(VerdictKind.PICK, slot=1), key="b") == 2
    assert decide(room, reader, view, key="a") == 1
    with record.database.read() as session:
        assert [verdict.slot for verdict in seat_of(session, view).verdicts] == [0, 1]
    assert room.open_comparison(reader, view.token).verdict == Decision(VerdictKind.PICK, slot=1)


@pytest.mark.parametrize(
    ("decision", "drawing"),
    [
        (Decision(VerdictKind.PICK, slot=2), None),
        (Decision(VerdictKind.DENY_ALL), None),
        (Decision(VerdictKind.DENY_ALL), b"too short"),
        (PICK, bytes(packed_length(HEIGHT, WIDTH))),
    ],
)
def test_a_verdict_that_contradicts_its_comparison_is_refused(record, room, reader, stage_id, decision, drawing):
    view = room.next_comparison(reader, stage_id)
    with pytest.raises(InputError):
        decide(room, reader, view, decision, drawing=drawing)
    with record.database.read() as session:
        assert seat_of(session, view).verdicts == []


def test_another_readers_token_does_not_exist(room, reader, other, stage_id):
    view = room.next_comparison(reader, stage_id)
    for use in (room.open_comparison, room.film, room.bundle, room.renew, room.postpone):
        with pytest.raises(NotFoundError):
            use(other, view.token)
    with pytest.raises(NotFoundError):
        decide(room, other, view)


def test_a_locked_stage_takes_no_verdict_but_repeats_what_it_acknowledged(record, room, reader, stage_id):
    view = room.next_comparison(reader, stage_id)
    decide(room, reader, view, key="sent")
    lock_stage(record, "pilot/II", leave_open=True)
    assert decide(room, reader, view, key="sent") == 1
    with pytest.raises(StateError):
        decide(room, reader, view, key="later")
    for use in (room.open_comparison, room.film, room.bundle):
        with pytest.raises(StateError):
            use(reader, view.token)
    with pytest.raises(StateError):
        room.next_comparison(reader, stage_id)


def test_a_film_with_an_identifier_is_taken_from_everybody_at_once(record, room, reader, other, stage_id):
    view = room.next_comparison(reader, stage_id)
    with record.database.write() as session:
        seat = seat_of(session, view)
        twin = Comparison(
            round_id=seat.round_id, case_id=seat.case_id, seat=1, account_id=other, token="twin", order=[0, 1]
        )
        session.add(twin)
    decision = Decision(VerdictKind.UNREADABLE, reason=UnreadableReason.IDENTIFIER_VISIBLE)
    decide(room, reader, view, decision)
    with pytest.raises(NotFoundError):
        room.film(other, "twin")
    with pytest.raises(StateError):
        room.film(reader, view.token)
    assert room.history(reader, stage_id) == []
    with record.database.read() as session:
        members = session.scalars(select(CampaignCase).where(CampaignCase.reason.contains("identifier"))).all()
        assert [member.arm for member in members] == [Arm.SET_ASIDE]


def test_history_is_newest_first(room, reader, stage_id):
    views = []
    for _ in range(3):
        views.append(room.next_comparison(reader, stage_id))
        decide(room, reader, views[-1])
    assert [one.token for one in room.history(reader, stage_id)] == [view.token for view in reversed(views)]


def test_verdicts_keep_time_and_confidence(record, room, reader, stage_id):
    view = room.next_comparison(reader, stage_id)
    decide(room, reader, view, replace(PICK, visible_ms=1234, confidence=4))
    with record.database.read() as session:
        verdict = session.scalars(select(Verdict).order_by(Verdict.id.desc()).limit(1)).one()
        assert (verdict.visible_ms, verdict.confidence) == (1234, 4)


def test_the_case_ahead_is_the_one_that_comes_next(build_room):
    record = build_room(n_cases=3)
    room = ReadingService(record)
    decision = Decision(VerdictKind.PICK, slot=0)
    present = room.next_comparison(1, 1)
    assert present
    ahead = room.comparison_ahead(1, present.token)
    assert ahead
    assert ahead.token != present.token
    again = room.next_comparison(1, 1)
    assert again
    assert again.token == present.token
    asked_again = room.comparison_ahead(1, present.token)
    assert asked_again
    assert asked_again.token == ahead.token
    room.decide(1, present.token, decision, idempotency_key="key", drawing=None)
    assert room.comparison_ahead(1, present.token) is None
    following = room.next_comparison(1, 1)
    assert following
    assert following.token == ahead.token
    room.postpone(1, following.token)
    last = room.next_comparison(1, 1)
    assert last
    assert last.token not in {present.token, ahead.token}
    assert room.comparison_ahead(1, last.token) is None
    with pytest.raises(NotFoundError):
        room.comparison_ahead(1, "nobody's")


def test_a_case_ahead_is_no_other_readers(build_room):
    record = build_room(n_cases=2, readers=["r1", "r2"])
    room = ReadingService(record)
    present = room.next_comparison(1, 1)
    assert present
    assert room.comparison_ahead(1, present.token)
    assert room.next_comparison(2, 1) is None


def test_every_reader_of_a_film_gets_the_lung_mask_that_came_with_it(build_room):
    record = build_room(n_cases=1, readers=["r1", "r2"], n_seats=2)
    room = ReadingService(record)
    expected = pack(canonical_grid_mask(np.pad(np.ones((40, 30), bool), 10), 60, 50))
    for reader in (account(record, "r1"), account(record, "r2")):
        view = room.next_comparison(reader, 1)
        assert view is not None
        assert view.has_lungs
        assert room.lungs(reader, view.token) == expected
        with pytest.raises(NotFoundError, match="not yours"):
            room.lungs(reader + 1, view.token)


def test_a_film_without_a_lung_mask_says_so(room, reader, stage_id):
    view = room.next_comparison(reader, stage_id)
    assert not view.has_lungs
    with pytest.raises(NotFoundError, match="no lung mask"):
        room.lungs(reader, view.token)
