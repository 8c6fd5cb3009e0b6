"""The ingest of a folder of films as a job, with its refusals where the dashboard shows them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from db.domain.case import MANIFEST
from db.job_context import JobContext
from pipelines.compile.ingest import Taken, ingest
from pipelines.compile.manifest import Batch, Refusal

N_SHOWN = 5
"""Refusals that are shown beside the job; its log has all."""

MAX_CHARACTERS = 250


def run(context: JobContext) -> None:
    """Job: take in the films of the folder in the job's arguments, as its `manifest.csv` describes them.

    `refused` among the arguments are files of an upload that never came as far as the folder, and why.
    """
    folder = Path(context.arguments["folder"])

    def watch(films: Iterator[Taken | Refusal], total: int) -> Iterable[Taken | Refusal]:
        for n_done, film in enumerate(films, 1):
            context.report("films", n_done, total)
            yield film

    report = ingest(
        context.record,
        Batch(folder=folder, manifest=folder / MANIFEST),
        simulated=bool(context.arguments.get("simulated")),
        watch=watch,
    )
    n_all = report.n_new + report.n_known
    context.report(
        "new", report.n_new, n_all, message=f"{report.n_known} were known, {report.n_lungs} came with a lung mask"
    )
    sent = [f"{name}: {why}" for name, why in context.arguments.get("refused", ())]
    if lines := sent + [f"{one.item}: {one.message}" for one in report.refused]:
        context.log.parent.mkdir(parents=True, exist_ok=True)
        with context.log.open("a") as log:
            log.writelines(f"{line}\n" for line in lines)
        n_refused = len(lines)
        message = " ".join(lines[:N_SHOWN])[:MAX_CHARACTERS]
        context.report("refused", n_refused, n_refused, message=message)
