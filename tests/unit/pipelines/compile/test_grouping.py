import numpy as np
import pytest
from sqlalchemy import select

from db.domain.case import CaseClass, View
from db.models import CaseRow
from pipelines.compile.duplicates import SIDE_PX
from pipelines.compile.grouping import Fingerprints, join_components


def row(key, patient, film):
    return CaseRow(
        key=key,
        patient=patient,
        case_class=CaseClass.NORMAL,
        view=View.PA,
        source="",
        licence="",
        width_px=1,
        height_px=1,
        film_digest=key,
        fingerprint=np.random.default_rng(film).integers(-127, 127, SIDE_PX**2).astype(np.int8).tobytes(),
    )


@pytest.fixture
def add(record):
    """`add((key, patient, film), ...)` in one transaction: the duplicates found, and all components."""
    known = Fingerprints()

    def _add(*films):
        with record.database.write() as session:
            rows = [row(*film) for film in films]
            duplicates = join_components(session, rows, known)
            session.add_all(rows)
        with record.database.read() as session:
            return duplicates, dict(session.execute(select(CaseRow.key, CaseRow.component)).all())

    return _add


def test_films_of_one_patient_and_copies_share_a_component_and_others_do_not(add):
    duplicates, components = add(("d", "p1", 1), ("c", "p1", 2), ("b", "p2", 2), ("a", "p3", 3))
    assert duplicates == [("b", "c")]
    assert components == {"d": "b", "c": "b", "b": "b", "a": "a"}


def test_a_late_film_joins_two_components_of_the_record(add):
    add(("b1", "p1", 1), ("b2", "p1", 2))
    add(("c1", "p2", 3), ("c2", "p2", 4))
    duplicates, components = add(("d", "p1", 4))
    assert duplicates == [("d", "c2")]
    assert set(components.values()) == {"b1"}


def test_a_late_film_with_a_smaller_key_renames_the_component(add):
    add(("b1", "p1", 1), ("b2", "p1", 2), ("z", "p9", 9))
    _, components = add(("a", "p1", 3))
    assert components == {"a": "a", "b1": "a", "b2": "a", "z": "z"}


def test_copies_are_found_in_what_another_ingest_added(add, record):
    add(("a", "p1", 1))
    with record.database.write() as session:
        session.add(other := row("b", "p2", 2))
        other.component = "b"
    duplicates, components = add(("c", "p3", 2))
    assert duplicates == [("c", "b")]
    assert components["c"] == "b"
