"""Training curves for TensorBoard: `tensorboard --logdir HOME/logs/tensorboard`."""

from typing import Any, Self

from tensorboardX import SummaryWriter

from db.job_context import JobContext

CURVES = ("loss", "validation_loss", "learning_rate", "films_per_s")


class Curves:
    """The curves of one network in one job, a run for each fold; written as its epochs end."""

    def __init__(self, context: JobContext, network: str) -> None:
        self._folder = context.record.settings.home / "logs" / "tensorboard" / f"job-{context.job_id}" / network
        self._writers: dict[str, SummaryWriter] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def add(self, line: dict[str, Any]) -> None:
        """An epoch's figures, as the training child reports them at its end."""
        fold = line["fold"]
        if fold not in self._writers:
            self._writers[fold] = SummaryWriter(str(self._folder / f"fold-{fold}"))
        for name in CURVES:
            if line.get(name) is not None:
                self._writers[fold].add_scalar(name, line[name], line["epoch"])
        self._writers[fold].flush()
