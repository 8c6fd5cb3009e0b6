"""Phantom films in a record, with their truth beside them."""

import csv
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image
from sqlalchemy import select

from db.models import CaseRow, PhantomTruth
from db.record import Record
from pipelines.compile.ingest import ingest
from pipelines.compile.manifest import Batch
from pipelines.simulate.lesions import CONSPICUOUS
from pipelines.simulate.phantom import Phantom, make_phantom

SOURCE = "phantom"
LICENCE = "CC0-1.0"


def add_phantoms(record: Record, *, n_infected: int, n_normal: int, side_px: int = 256, seed: int = 1) -> list[str]:
    """Make phantom films, one a patient, and take them in like any film; their keys.

    Keys hold seed, number and class, so that another call with another seed adds further films.
    """
    wanted = [(f"ph{seed}-{i:04}", True) for i in range(n_infected)]
    wanted += [(f"ph{seed}-{n_infected + i:04}", False) for i in range(n_normal)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        phantoms = dict(zip([key for key, _ in wanted], _make(wanted, side_px, seed), strict=True))
        for key, phantom in phantoms.items():
            Image.fromarray(phantom.film).save(folder / f"{key}.png", compress_level=1)
        _write_manifest(folder / "manifest.csv", wanted)
        constants = {"source": SOURCE, "licence": LICENCE, "view": "pa"}
        ingest(record, Batch(folder, folder / "manifest.csv", constants=constants), simulated=True)
    _write_truth(record, phantoms)
    return list(phantoms)


def _make(wanted: list[tuple[str, bool]], side_px: int, seed: int) -> Iterator[Phantom]:
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(_make_one, side_px=side_px, seed=seed), wanted, chunksize=8)


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
