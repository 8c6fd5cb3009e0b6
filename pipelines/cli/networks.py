"""`overread networks`: what can be built."""

import click


@click.command(epilog="Example:\n\n    overread networks --input-size 224")
@click.option("--input-size", type=click.IntRange(32), default=224, show_default=True, help="Side in pixels.")
def command(input_size: int) -> None:
    """List every decoder on every encoder, with its number of parameters where this version builds it."""
    from db.domain.errors import InputError
    from db.domain.network import Decoder, Encoder, NetworkSpec
    from ml_backend.networks import build

    click.echo(f"{'network':28} {'parameters':>12} {'trainable':>12} {'frozen: trainable':>18}")
    for encoder in Encoder:
        for decoder in Decoder:
            name = NetworkSpec(decoder, encoder).name
            try:
                free, frozen = (
                    _trainable(build(NetworkSpec(decoder, encoder, frozen=is_frozen), input_size=input_size))
                    for is_frozen in (False, True)
                )
            except InputError as error:
                click.echo(f"{name:28} {error.message}")
            else:
                click.echo(f"{name:28} {free[0]:12,} {free[1]:12,} {frozen[1]:18,}")
