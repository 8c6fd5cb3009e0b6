"""The training of a round as a worker of the whole product does it: with phantom films for recipes that want them."""

from db.job_context import JobContext
from ml_backend import worker
from pipelines.simulate.pretext import make_pretext


def train_round(context: JobContext) -> None:
    """Job: train the networks of a round and offer their masks to its readers."""
    worker.train_round(context, make_pretext)
