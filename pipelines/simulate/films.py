"""Phantom films in a record, with their truth beside them."""

import csv
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import select

from db.domain.case import MANIFEST
from db.models import CaseRow, PhantomTruth
from db.record import Record
from pipelines.compile.ingest import ingest
from pipelines.compile.manifest import LUNGS, Batch
from pipelines.simulate.lesions import CONSPICUOUS
from pipelines.simulate.phantom import Phantom, make_phantom

SOURCE = "phantom"
LICENCE = "CC0-1.0"

AT_A_TIME = 32
"""So many are made before they are taken in: whoever watches sees the number grow."""


def add_phantoms(record: Record, *, n_infected: int, n_normal: int, side_px: int = 256, seed: int = 1) -> list[str]:
    """Make phantom films, one a patient, and take them in like any film, some at a time; their keys.

    The same arguments make the same films, and what is there already stays. Another seed adds further films.
    """
    wanted = [(f"ph{seed}-{i:04}", i < n_infected) for i in range(n_infected + n_normal)]
    make = partial(_make_one, side_px=side_px, seed=seed)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        made = pool.map(make, wanted, chunksize=4)
        for first in range(0, len(wanted), AT_A_TIME):
            part = wanted[first : first + AT_A_TIME]
            _take_in(record, part, [next(made) for _ in part])
    return [key for key, _ in wanted]


def _take_in(record: Record, wanted: list[tuple[str, bool]], phantoms: list[Phantom]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / LUNGS).mkdir()
        for (key, _), phantom in zip(wanted, phantoms, strict=True):
            Image.fromarray(phantom.lung).save(folder / LUNGS / f"{key}.png")
            Image.fromarray(phantom.film).save(folder / f"{key}.png", compress_level=1)
        _write_manifest(folder / MANIFEST, wanted)
        constants = {"source": SOURCE, "licence": LICENCE, "view": "pa"}
        ingest(record, Batch(folder, folder / MANIFEST, constants=constants), simulated=True)
    _write_truth(record, dict(zip([key for key, _ in wanted], phantoms, strict=True)))


def _make_one(item: tuple[str, bool], *, side_px: int, seed: int) -> Phantom:
    key, infected = item
    rng = np.random.default_rng([seed, *key.encode()])
    return make_phantom(rng, side_px=side_px, infected=infected, preset=CONSPICUOUS)


def _write_manifest(path: Path, wanted: list[tuple[str, bool]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "patient", "class"])
        writer.writerows([key, key, "infection" if infected else "normal"] for key, infected in wanted)


def _write_truth(record: Record, phantoms: dict[str, Phantom]) -> None:
    truths = {
        key: (record.store.put_mask(phantom.infection), record.store.put_mask(phantom.lung))
        for key, phantom in phantoms.items()
    }
    with record.database.write() as session:
        known = set(session.scalars(select(PhantomTruth.case_id)))
        for row in session.scalars(select(CaseRow).where(CaseRow.key.in_(truths))):
            if row.id not in known:
                infection, lung = truths[row.key]
                session.add(PhantomTruth(case_id=row.id, infection_digest=infection, lung_digest=lung))
