"""Phantom films in a record."""

import numpy as np
import pytest
from sqlalchemy import select

from db.domain.case import CaseClass
from db.models import CaseRow, PhantomTruth
from pipelines.simulate import films
from pipelines.simulate.films import add_phantoms


@pytest.fixture
def cases(record, monkeypatch):
    monkeypatch.setattr(films, "AT_A_TIME", 2)
    keys = add_phantoms(record, n_infected=2, n_normal=3, side_px=64)
    with record.database.read() as session:
        rows = session.scalars(select(CaseRow).order_by(CaseRow.key)).all()
        truths = {truth.case_id: truth for truth in session.scalars(select(PhantomTruth))}
    assert keys == [row.key for row in rows]
    return record, rows, truths


def test_they_are_marked_as_simulated_and_each_is_a_patient_of_its_own(cases):
    _, rows, _ = cases
    assert all(row.simulated for row in rows)
    assert len({row.component for row in rows}) == 5
    assert [row.case_class for row in rows] == [CaseClass.INFECTION] * 2 + [CaseClass.NORMAL] * 3


def test_their_truth_lies_beside_them(cases):
    record, rows, truths = cases
    shown = [np.count_nonzero(record.store.get_mask(truths[row.id].infection_digest)) for row in rows]
    assert all(n > 0 for n in shown[:2])
    assert shown[2:] == [0, 0, 0]
    assert [row.lung_digest for row in rows] == [truths[row.id].lung_digest for row in rows]


def test_asking_again_changes_nothing(cases):
    record, rows, _ = cases
    add_phantoms(record, n_infected=2, n_normal=3, side_px=64)
    with record.database.read() as session:
        assert [row.film_digest for row in session.scalars(select(CaseRow).order_by(CaseRow.key))] == [
            row.film_digest for row in rows
        ]
