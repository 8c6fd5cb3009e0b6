"""New films join the components of their patients and near-duplicates; a late film can make two components one."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.domain.folds import components
from db.models import CaseRow
from pipelines.compile.duplicates import find_duplicates


@dataclass
class Fingerprints:
    """The fingerprints of the record, kept between the chunks of one ingest: read once, then only what is new."""

    keys: list[str] = field(default_factory=list)
    prints: list[bytes] = field(default_factory=list)
    last_id: int = 0

    def refresh(self, session: Session) -> None:
        """Read those that came since the last time. No other writer may be under way."""
        query = select(CaseRow.id, CaseRow.key, CaseRow.fingerprint).where(CaseRow.id > self.last_id)
        for self.last_id, key, print_ in session.execute(query.order_by(CaseRow.id)):
            if print_:  # a film of a patient who withdrew has none
                self.keys.append(key)
                self.prints.append(print_)


def join_components(session: Session, new: Sequence[CaseRow], known: Fingerprints) -> list[tuple[str, str]]:
    """Give each new row its component, and rename the components of the record that they join.

    Returns
    -------
    The pairs of cases that show one film.
    """
    known.refresh(session)
    duplicates = _near_duplicates(new, known)
    twins = {key for pair in duplicates for key in pair}
    query = select(CaseRow.key, CaseRow.patient, CaseRow.component)
    old = {
        *session.execute(query.where(CaseRow.key.in_(twins))),
        *session.execute(query.where(CaseRow.patient.in_({row.patient for row in new}))),
    }
    first_of_patient = {patient: component for _, patient, component in old}
    links = [(row.key, first_of_patient.setdefault(row.patient, row.key)) for row in new]
    links += duplicates + [(key, component) for key, _, component in old]
    found = components(links, sorted({row.key for row in new} | {key for link in links for key in link}))
    for row in new:
        row.component = found[row.key]
    for component in {component for _, _, component in old}:
        if found[component] != component:
            session.execute(update(CaseRow).where(CaseRow.component == component).values(component=found[component]))
    return duplicates


def _near_duplicates(new: Sequence[CaseRow], known: Fingerprints) -> list[tuple[str, str]]:
    keys = known.keys + [row.key for row in new]
    prints = [row.fingerprint for row in new]
    n_known = len(known.keys)
    return [(new[i].key, keys[j]) for i, j in find_duplicates(prints, known.prints + prints) if j < n_known + i]
