"""`overread networks`: what can be built."""

import os

import click


@click.command(epilog="Example:\n\n    overread networks --input-size 224")
@click.option("--input-size", type=click.IntRange(32), default=224, show_default=True, help="Side in pixels.")
def command(input_size: int) -> None:
    """List every decoder on every encoder, with its number of parameters where this version builds it.

    Append `-frozen` to a name to keep the encoder's convolutions as they are loaded.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or it greets every user with what it could not find
    from db.domain.errors import InputError
    from db.domain.network import Decoder, Encoder, NetworkSpec
    from ml_backend.networks import build

    click.echo(f"{'network':28} {'parameters':>12}")
    for spec in (NetworkSpec(decoder, encoder) for encoder in Encoder for decoder in Decoder):
        try:
            parameters = f"{build(spec, input_size=input_size).count_params():,}"
        except InputError as error:
            parameters = error.message
        click.echo(f"{spec.name:28} {parameters:>12}")
