"""`overread weights`: pretrained weights of encoders."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from db.domain.network import PAPER_ENCODERS, Encoder
from pipelines.cli.context import open_record

if TYPE_CHECKING:
    from ml_backend.importing.cards import WeightsCard

SHOWN_DIGITS = 12


@click.group(epilog="Example:\n\n    overread weights import densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5")
def command() -> None:
    """Import pretrained weights of encoders, and list them. Encoders without weights start from random values."""


@command.command(
    name="import",
    epilog="Example:\n\n    overread weights import chexnet.h5 --encoder chexnet --sha256 SHA256_OF_THE_FILE",
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--encoder",
    type=click.Choice([str(encoder) for encoder in PAPER_ENCODERS]),
    help="Whose weights they are, where the file does not tell.",
)
@click.option("--corpus", help="What they were trained on, where the file does not tell.")
@click.option("--sha256", metavar="HEX", help="The file's digest, as its maker states it.")
def import_(file: Path, encoder: str | None, corpus: str | None, sha256: str | None) -> None:
    """Take an encoder's weights from FILE: Keras .h5 or a PyTorch checkpoint.

    Known are DenseNet-121 and Inception-v3 of keras.applications, ResNet-50 of classification_models, DenseNet-121 of
    torchvision, and CheXNet in both forms. A process that can do nothing else reads FILE, and runs nothing of it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or it greets every user with what it could not find
    from db.models import EncoderWeights
    from db.repository.weights import newest_weights
    from ml_backend.importing.encoder_weights import import_weights

    record = open_record()
    imported = import_weights(file, encoder=Encoder(encoder) if encoder else None, corpus=corpus, sha256=sha256)
    card = imported.card
    digest = record.store.put(imported.to_bytes())
    with record.database.write() as session:
        newest = newest_weights(session, card.encoder)
        is_known = newest is not None and newest.digest == digest
        if not is_known:
            session.add(EncoderWeights(encoder=card.encoder, digest=digest, corpus=card.corpus, card=card.to_dict()))
    _show(card)
    start = "started from them before" if is_known else "start from them now"
    click.echo(f"Networks on {card.encoder} {start}: {digest[:SHOWN_DIGITS]}.")


@command.command(name="list", epilog="Example:\n\n    overread weights list")
def list_() -> None:
    """List the weights of each encoder, the newest first: those are what networks start from."""
    from db.repository.weights import all_weights

    with open_record().database.read() as session:
        for encoder in Encoder:
            found = all_weights(session, encoder.value)
            for i, row in enumerate(found):
                state = f"checksum {row.card['checksum']}"
                line = f"{row.digest[:SHOWN_DIGITS]}  {row.created_at:%Y-%m-%d}  {state:18}  {row.corpus}"
                click.echo(f"{encoder:14}{line}{'  (replaced)' if i else ''}")
            if not found:
                click.echo(f"{encoder:14}random")


def _show(card: "WeightsCard") -> None:
    click.echo(f"{card.file}: {card.layout}.")
    click.echo(f"sha256 {card.sha256} (checksum {card.checksum}).")
    click.echo(f"All {card.n_arrays} arrays of the encoder match by name and shape.")
    for name, shape in card.unused.items():
        click.echo(f"Not used: {name} {shape}")
    click.echo(f"Encoder {card.encoder}, trained on {card.corpus}.")
