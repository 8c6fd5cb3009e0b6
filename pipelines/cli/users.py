"""`overread users`: accounts."""

from typing import TYPE_CHECKING, TextIO

import click

from db.domain.provenance import Role
from pipelines.cli.context import open_record

if TYPE_CHECKING:
    from db.record import Record

PASSWORD = click.option(
    "--password-file", type=click.File(), help="File whose first line is the password; - for standard input."
)

SITE = click.option("--site", metavar="URL", help="Address of the site as people see it.  [default: host and port]")


@click.group(epilog="Example:\n\n    overread users add r1 --role reader")
def command() -> None:
    """Add, invite, list and deactivate accounts. Passwords are asked for or read from files, never arguments."""


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


@command.command(epilog="Example:\n\n    overread users invite r1 --role reader")
@click.argument("code", required=False)
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True, help="What they may do.")
@click.option("--email", default="", help="E-mail address, with which one can sign in besides the code.")
@click.option("--csv", "file", type=click.File(), help="File with a line `code,e-mail` for each of many people.")
@SITE
def invite(code: str | None, role: str, email: str, file: TextIO | None, site: str | None) -> None:
    """Add an account and print the link with which its person chooses a password: once, within seven days."""
    from annotation_server.services.inviting import Host, invite_people, parse_people
    from db.domain.errors import InputError

    if (code is None) == (file is None):
        msg = "Name one code, or a file of many with `--csv`."
        raise InputError(msg)
    people = parse_people(file.read()) if file else [(code or "", email)]
    record = open_record()
    with record.database.write() as session:
        outcomes = invite_people(session, Host("system", Role.ADMIN), Role(role), people)
    for one in outcomes:
        click.echo(f"{one.code}: {_link(record, site, one.token) if one.token else one.trouble}")
    if bad := sum(not one.token for one in outcomes):
        msg = f"{bad} of {len(outcomes)} people were not invited."
        raise InputError(msg, hint="The others were; give only the rest again.")


@command.command(epilog="Example:\n\n    overread users link r1")
@click.argument("code")
@SITE
def link(code: str, site: str | None) -> None:
    """Print a link with which an account's person chooses a new password; its sessions end when they do."""
    from db.accounts import find_account
    from db.invitations import invite

    record = open_record()
    with record.database.write() as session:
        token = invite(session, find_account(session, code))
    click.echo(f"{code}: {_link(record, site, token)}")


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
        set_password(session, find_account(session, code), new)
    click.echo(f"Account {code} has a new password.")


@command.command(epilog="Example:\n\n    overread users deactivate r1")
@click.argument("code")
def deactivate(code: str) -> None:
    """Shut an account out: its sessions end, seats that it holds are free again. Its verdicts stay."""
    from annotation_server.services.inviting import Host, set_active

    with open_record().database.write() as session:
        set_active(session, Host("system", Role.ADMIN), code, active=False)
    click.echo(f"Account {code} is deactivated.")


@command.command(epilog="Example:\n\n    overread users reactivate r1")
@click.argument("code")
def reactivate(code: str) -> None:
    """Let a deactivated account in again."""
    from db.accounts import find_account, reactivate

    with open_record().database.write() as session:
        reactivate(session, find_account(session, code))
    click.echo(f"Account {code} is active again.")


def _link(record: "Record", site: str | None, token: str) -> str:
    settings = record.settings
    root = site or f"http://{settings.host}:{settings.port}{settings.url_prefix}"
    return f"{root.rstrip('/')}/invitation/{token}"


def _password(file: TextIO | None) -> str:
    if file is not None:
        return str(file.readline().rstrip("\r\n"))
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
