"""Simulated readers at work in a record: they draw for stage I and judge comparisons as a person would.

They go through the same services as the browser does. What rests on their verdicts is marked as simulated wherever it
is shown: their accounts say so, and every mask and verdict names its account.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.artifacts import Store
from db.domain.errors import InputError
from db.domain.mask import THRESHOLD, Mask, canonical_grid_mask, grid_shape, pack, packed_length, resample, unpack
from db.domain.provenance import MaskOrigin
from db.domain.verdict import Decision, VerdictKind
from db.models import Account, CampaignCase, CaseRow, Comparison, MaskRow, PhantomTruth, Stage
from db.record import Record
from db.repository.cases import find_stage
from db.repository.plans import drawings
from pipelines.simulate.drawing import care_for, draw, imagine
from pipelines.simulate.reader import choose, consensus
from pipelines.simulate.traits import READERS, ReaderTraits

REDRAW_CARE = 0.45
"""A redraw is careful: Dice 0.94 on phantoms."""

N_CALIBRATION = 40
"""Truths on which a reader's care is adjusted."""


class View(Protocol):
    """What a reader is shown of a comparison."""

    @property
    def token(self) -> str:
        """The comparison's opaque name."""

    @property
    def n_candidates(self) -> int:
        """Masks on offer."""


class ReadingRoom(Protocol):
    """Where readers judge: `annotation_server.services.reading.ReadingService`, which this layer may not import."""

    def next_comparison(self, account_id: int, stage_id: int) -> View | None:
        """The reader's next case, or None."""

    def bundle(self, account_id: int, token: str) -> bytes:
        """The candidates' packed bits, in slot order."""

    def decide(
        self, account_id: int, token: str, decision: Decision, *, idempotency_key: str, drawing: bytes | None
    ) -> int:
        """Store a verdict; its revision."""


@dataclass(frozen=True)
class SimulatedReader:
    """An account, its habits, and a seed that makes its choices repeatable."""

    account_id: int
    code: str
    traits: ReaderTraits
    seed: int

    def rng(self, case: str) -> np.random.Generator:
        """Randomness of this reader on this case, whatever the order of cases."""
        return np.random.default_rng([self.seed, *self.code.encode(), *case.encode()])


def find_readers(session: Session, codes: Sequence[str], *, seed: int) -> list[SimulatedReader]:
    """The simulated readers of these codes, with habits in turn.

    Raises
    ------
    InputError
        If an account is missing or belongs to a person: verdicts are never put into a person's mouth.
    """
    readers = []
    for number, code in enumerate(codes):
        account = session.scalar(select(Account).where(Account.code == code))
        if account is None or not account.simulated:
            msg = f"{code!r} is not a simulated reader."
            raise InputError(msg, hint=f"Run `overread users add {code} --role reader --simulated`.")
        readers.append(SimulatedReader(account.id, code, READERS[number % len(READERS)], seed))
    return readers


def draw_stage(record: Record, address: str, readers: Sequence[SimulatedReader], *, target_dice: float) -> int:
    """Draw a mask for every case of a stage that has none, at a mean Dice against the phantoms' truth; how many.

    Raises
    ------
    InputError
        If a case is a real film: there is no truth to draw from.
    """
    with record.database.read() as session:
        stage = find_stage(session, address)
        campaign_id = stage.campaign_id
        cases = _undrawn(session, stage)
        if not cases:
            return 0
        truths = [_truth(session, record.store, case) for case in cases]
        films = [record.store.get_film(case.film_digest) for case in cases]
    cares = {reader.code: care_for(target_dice, truths[:N_CALIBRATION], reader.traits) for reader in readers}
    rows = []
    for number, (case, truth, film) in enumerate(zip(cases, truths, films, strict=True)):
        reader = readers[number % len(readers)]
        traits = replace(reader.traits, care=cares[reader.code])
        drawn = draw(reader.rng(case.key), truth, traits, film=film.astype(np.uint8))
        digest = record.store.put_mask(drawn)
        rows.append(
            MaskRow(
                campaign_id=campaign_id,
                case_id=case.id,
                origin=MaskOrigin.DRAWING,
                digest=digest,
                account_id=reader.account_id,
                simulated=True,
            )
        )
    with record.database.write() as session:
        session.add_all(rows)
    return len(rows)


def read_stage(
    record: Record,
    room: ReadingRoom,
    address: str,
    readers: Sequence[SimulatedReader],
    *,
    n_left: int = 0,
) -> int:
    """Judge or draw what a stage's present round has to be judged or drawn, until `n_left` are left; how many."""
    with record.database.read() as session:
        stage_id = find_stage(session, address).id
    n_judged, n_idle = 0, 0
    while _n_open(record, stage_id) > n_left and n_idle < len(readers):
        reader = readers[(n_judged + n_idle) % len(readers)]
        view = room.next_comparison(reader.account_id, stage_id)
        if view is None:
            n_idle += 1  # what is left may be for others
            continue
        _judge(record, room, reader, view)
        n_judged, n_idle = n_judged + 1, 0
    return n_judged


def _judge(record: Record, room: ReadingRoom, reader: SimulatedReader, view: View) -> None:
    case, reference = _reference(record, view.token)
    rng = reader.rng(case.key)
    if not view.n_candidates:
        _draw(room, reader, view, case, reference)
        return
    grid = grid_shape(case.height_px, case.width_px)
    size = packed_length(*grid)
    bundle = room.bundle(reader.account_id, view.token)
    candidates = [unpack(bundle[i * size : (i + 1) * size], *grid) for i in range(view.n_candidates)]
    shown = (
        consensus(candidates) if reference is None else canonical_grid_mask(reference, case.height_px, case.width_px)
    )
    choice = choose(rng, candidates, imagine(rng, shown, reader.traits), reader.traits)
    drawing = None
    if choice.kind is VerdictKind.DENY_ALL:
        truth = _at_film_size(shown, case) if reference is None else reference
        drawing = pack(draw(rng, truth, replace(reader.traits, care=REDRAW_CARE)))
    decision = Decision(choice.kind, slot=choice.index)
    room.decide(reader.account_id, view.token, decision, idempotency_key=f"simulated-{view.token}", drawing=drawing)


def _draw(room: ReadingRoom, reader: SimulatedReader, view: View, case: CaseRow, reference: Mask | None) -> None:
    if reference is None:
        msg = f"Case {case.key} is a real film; a simulated reader can draw on phantoms only."
        raise InputError(msg, hint="Let a person draw it.")
    drawn = draw(reader.rng(case.key), reference, reader.traits)
    decision = Decision(VerdictKind.DRAWN if drawn.any() else VerdictKind.NO_INFECTION)
    drawing = pack(drawn) if drawn.any() else None
    room.decide(reader.account_id, view.token, decision, idempotency_key=f"simulated-{view.token}", drawing=drawing)


def _reference(record: Record, token: str) -> tuple[CaseRow, Mask | None]:
    """The case behind a token and the best mask known of it: a phantom's truth, else its drawing, else nothing."""
    with record.database.read() as session:
        comparison = session.scalars(select(Comparison).where(Comparison.token == token)).one()
        case = comparison.case
        truth = session.get(PhantomTruth, case.id)
        if truth is not None:
            return case, record.store.get_mask(truth.infection_digest)
        mask_id = drawings(session, comparison.round.stage.campaign_id).get(case.key)
        digest = session.get_one(MaskRow, mask_id).digest if mask_id else None
        return case, None if digest is None else record.store.get_mask(digest)


def _truth(session: Session, store: Store, case: CaseRow) -> Mask:
    truth = session.get(PhantomTruth, case.id)
    if truth is None:
        msg = f"Case {case.key} is a real film; a simulated reader can draw on phantoms only."
        raise InputError(msg, hint="Import drawings with `overread import-masks`.")
    return store.get_mask(truth.infection_digest)


def _undrawn(session: Session, stage: Stage) -> list[CaseRow]:
    drawn = drawings(session, stage.campaign_id)
    query = select(CaseRow).join(CampaignCase).where(CampaignCase.stage_id == stage.id).order_by(CaseRow.key)
    return [case for case in session.scalars(query) if case.key not in drawn]


def _n_open(record: Record, stage_id: int) -> int:
    with record.database.read() as session:
        round_ = session.get_one(Stage, stage_id).rounds[-1]
        query = select(func.count()).where(Comparison.round_id == round_.id, Comparison.decided_at.is_(None))
        return session.scalar(query) or 0


def _at_film_size(mask: Mask, case: CaseRow) -> Mask:
    return resample(mask.astype(np.float32), case.height_px, case.width_px) >= THRESHOLD
