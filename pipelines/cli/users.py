"""`overread users`: accounts."""

from typing import TextIO

import click

from db.domain.provenance import Role
from pipelines.cli.context import open_record

PASSWORD = click.option(
    "--password-file", type=click.File(), help="File whose first line is the password; - for standard input."
)


@click.group(epilog="Example:\n\n    overread users add r1 --role reader")
def command() -> None:
    """Add, list and deactivate accounts. A password is asked for, or read from a file; never from the command line."""


@command.command(epilog="Example:\n\n    overread users add r1 --role reader")
@click.argument("code")
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True, help="What it may do.")
@click.option("--email", help="E-mail address, with which one can sign in besides the code.")
@click.option("--simulated", is_flag=True, help="A reader that is a program; nobody can sign in with it.")
@click.option("--no-login", is_flag=True, help="Nobody signs in: a reader whose drawings come from files.")
@PASSWORD
def add(  # noqa: PLR0913 - one argument an option
    code: str, role: str, email: str | None, *, simulated: bool, no_login: bool, password_file: TextIO | None
) -> None:
    """Add an account. Readers appear to others by CODE only."""
    from db.accounts import add_account

    password = None if simulated or no_login else _password(password_file)
    with open_record().database.write() as session:
        add_account(session, code, Role(role), email=email, password=password, simulated=simulated)
    click.echo(f"Account {code} ({role}) is added.")


@command.command(name="list", epilog="Example:\n\n    overread users list")
def list_() -> None:
    """List the accounts."""
    from sqlalchemy import select

    from db.models import Account

    with open_record().database.read() as session:
        for account in session.scalars(select(Account).order_by(Account.code)):
            marks = ["simulated"] * account.simulated + ["inactive"] * (not account.active)
            click.echo(" ".join([account.code, account.role, *marks]))


@command.command(epilog="Example:\n\n    overread users password r1")
@click.argument("code")
@PASSWORD
def password(code: str, password_file: TextIO | None) -> None:
    """Give an account another password and end its sessions."""
    from db.accounts import find_account, set_password

    new = _password(password_file)
    with open_record().database.write() as session:
        set_password(find_account(session, code), new)
    click.echo(f"Account {code} has a new password.")


@command.command(epilog="Example:\n\n    overread users deactivate r1")
@click.argument("code")
def deactivate(code: str) -> None:
    """Shut an account out and end its sessions. Its verdicts stay."""
    from db.accounts import deactivate, find_account

    with open_record().database.write() as session:
        deactivate(find_account(session, code))
    click.echo(f"Account {code} is deactivated.")


def _password(file: TextIO | None) -> str:
    if file is not None:
        return str(file.readline().rstrip("\r\n"))
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
