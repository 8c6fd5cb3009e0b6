"""Who gets which seat. A claim locks the row that it takes, so that two readers never get the same one.

A seat is free while nobody holds it. One whose lease ran out stays with its reader until no other is free. Seats have
random places (`Comparison.rank`); each claim begins at a place of its own and takes the next free seat, so that the
order of cases is random for each reader, and a claim reads few rows however many there are.
"""

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple, Self

from sqlalchemy import Select, delete
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from annotation_server.services import seat_queries
from annotation_server.services.seat_queries import Rules
from db.domain.campaign import RoundState
from db.domain.candidate import slot_order
from db.domain.study import MAX_RANK, SeatKind, first_position, keyed_integer
from db.models import Account, CaseRow, Comparison, Draft, Round, now
from db.repository.roster import count_readers, place_of

TOKEN_BYTES = 24

MANY = 500
"""So many free places are not counted anew for each case: that takes longer than all else, and nobody sees one more."""

KEEP_S = 5.0


class Tally:
    """How many places of a round are free. One is for all readers; where there are `MANY` it is `KEEP_S` late."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, float]] = {}

    def free_places(self, session: Session, round_id: int) -> int:
        """Places, one a case and kind, with a seat that nobody holds."""
        n_free, counted_at = self._known.get(round_id, (0, 0.0))
        if n_free < MANY or time.monotonic() - counted_at > KEEP_S:
            n_free = session.scalar(seat_queries.count_of_places(), {"round_id": round_id}) or 0
            self._known[round_id] = n_free, time.monotonic()
        return n_free


@dataclass(frozen=True)
class Claimant:
    """A reader in a round, and until when a seat claimed now is theirs.

    `quota` bounds the reader's shared seats; `n_readers` share the stage.
    """

    account: Account
    round: Round
    leased_until: datetime
    quota: int | None = None
    n_readers: int = 1
    tally: Tally = field(default_factory=Tally)

    @classmethod
    def enter(
        cls, session: Session, account: Account, round_: Round, leased_until: datetime, tally: Tally | None = None
    ) -> Self:
        """The reader as the stage knows them.

        Raises
        ------
        NotAllowedError
            If the stage was assigned to others, or the reader has left it.
        """
        place = place_of(session, round_.stage, account.id)
        study, n_readers = round_.stage.definition.study, 1
        if study.pair_share or study.repeat_share or study.n_check_cases:  # else it decides nothing
            n_readers = count_readers(session, round_.stage_id, is_assigned=place is not None)
        quota = place.quota if place else None
        return cls(account, round_, leased_until, quota, max(1, n_readers), tally or Tally())

    @cached_property
    def rules(self) -> Rules:
        """Which seats the reader may take."""
        definition = self.round.stage.definition
        pairs_apart = self.n_readers > definition.readers_per_case or not definition.study.pair_share
        return Rules.of(definition, is_drawing=self.round.state is RoundState.DRAWING, pairs_apart=pairs_apart)

    @property
    def parameters(self) -> dict[str, Any]:
        """Those of `seat_queries`, at this moment."""
        moment = now()
        washout = timedelta(days=self.round.stage.definition.study.own_washout_days)
        return {
            "round_id": self.round.id,
            "account_id": self.account.id,
            "campaign_id": self.round.stage.campaign_id,
            "moment": moment,
            "fresh_since": moment - washout,
        }

    @property
    def seed(self) -> int:
        """The campaign's."""
        return self.round.stage.campaign.definition.seed

    def number(self, purpose: str, n_shown: int) -> int:
        """A random rank that follows from the campaign's seed, the reader and how many seats the reader was shown."""
        return keyed_integer(f"{self.seed}/{self.account.code}/{n_shown}/{purpose}") % MAX_RANK


class OwnCount(NamedTuple):
    """How many seats a reader has by now; `n_shared` of them another reader could have had."""

    n_own: int
    n_decided: int
    n_shown: int
    n_shared: int
    n_practice: int

    @property
    def n_waiting(self) -> int:
        """Seats made for this reader that are due."""
        return self.n_own - self.n_shown


def find_held(session: Session, reader: Claimant, *, postponed: bool, beside: int = 0) -> Comparison | None:
    """The reader's own undecided seat, locked: the one before them, or the one postponed first.

    `beside` is the id of a seat that is passed over.
    """
    return _scalar(session, reader, seat_queries.held_seat(reader.rules, postponed=postponed), beside=beside)


def claim(session: Session, reader: Claimant) -> Comparison | None:
    """The reader's next seat, with a new token and order of slots.

    Practice comes first. Repeats and checks, which were made for this reader, are mixed with the free seats in
    proportion to how many of either the reader can still expect.
    """
    own = count_own(session, reader)
    if own.n_practice:
        seat = _scalar(session, reader, seat_queries.practice_seat(reader.rules))
    else:
        queries = _mixed(session, reader, own)
        start = {"start": reader.number("start", own.n_shown)}
        seat = next((one for query in queries if (one := _scalar(session, reader, query, **start))), None)
    if seat is not None:
        _take(session, reader, seat, own.n_shown)
    return seat


def count_own(session: Session, reader: Claimant) -> OwnCount:
    """How many seats the reader has."""
    return OwnCount(*session.execute(seat_queries.counts_of_own(reader.rules), reader.parameters).one())


def count_free(session: Session, reader: Claimant, own: OwnCount | None = None) -> int:
    """Cases that the reader could still claim, at most."""
    n_barred, n_expired = session.execute(seat_queries.counts_of_barred(reader.rules), reader.parameters).one()
    n_free = max(0, reader.tally.free_places(session, reader.round.id) - n_barred) + n_expired
    if reader.quota is None:
        return n_free
    return max(0, min(n_free, reader.quota - (own or count_own(session, reader)).n_shared))


def _mixed(session: Session, reader: Claimant, own: OwnCount) -> Iterator[Select[Comparison]]:
    """Where to look for the next seat, one after the other."""
    rules = reader.rules
    waiting = [seat_queries.waiting_seat(rules, is_before=is_before) for is_before in (False, True)]
    if own.n_waiting:
        n_expected = count_free(session, reader, own) / reader.n_readers
        if reader.number("turn", own.n_shown) * (own.n_waiting + n_expected) < own.n_waiting * MAX_RANK:
            yield from waiting
    if reader.quota is None or own.n_shared < reader.quota:
        yield seat_queries.free_seat(rules, is_before=False)
        yield seat_queries.free_seat(rules, is_before=True)
        yield seat_queries.expired_seat(rules)
    if own.n_waiting:
        yield from waiting


def _take(session: Session, reader: Claimant, seat: Comparison, n_shown: int) -> None:
    if seat.account_id not in {None, reader.account.id}:  # what its former reader drew is nobody else's to see
        session.execute(delete(Draft).where(Draft.comparison_id == seat.id))
    seat.account_id, seat.token = reader.account.id, secrets.token_urlsafe(TOKEN_BYTES)
    seat.order = _order(reader, seat, n_shown)
    seat.claimed_at, seat.leased_until, seat.postponed_at, seat.serial_seen_at = now(), reader.leased_until, None, None


def _order(reader: Claimant, seat: Comparison, n_shown: int) -> list[int] | None:
    """Which position stands in each slot; the two of a pair were chosen when it was made."""
    if seat.kind.is_drawn:
        return None
    n = reader.round.stage.definition.n_candidates
    first = first_position(seat.kind, n)
    positions = (seat.order or []) if seat.kind is SeatKind.PAIR else list(range(first, first + n))
    slots = slot_order(len(positions), seed=reader.seed, reader=reader.account.code, position=n_shown)
    return [positions[i] for i in slots]


def _scalar(session: Session, reader: Claimant, query: Select[Comparison], **more: int) -> Comparison | None:
    """A seat, ready to be shown after the transaction that took it: with its case; undecided, it has no verdict."""
    seat = session.scalar(query, reader.parameters | more)
    if seat is not None and "verdicts" not in seat.__dict__:
        set_committed_value(seat, "verdicts", [])
        set_committed_value(seat, "case", session.get_one(CaseRow, seat.case_id))
    return seat
