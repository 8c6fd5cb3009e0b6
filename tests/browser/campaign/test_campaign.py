"""A whole campaign, in browsers only: a coordinator, an engineer and three readers, with a real worker beside them.

`SCREENSHOTS=FOLDER` keeps a picture of each step there; they show phantoms.
"""

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.domain.provenance import MaskOrigin
from db.models import Account, Candidate, Comparison, MaskRow, Verdict
from db.record import Record

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.keras]

Person = Any
"""Somebody at a browser, as `conftest` makes them."""

PASSWORD = "five quiet dark rooms"
N_DRAWN = 4
N_FOLDS = 3
OUTLINES = ([(350, 260), (420, 250), (430, 330), (370, 380)], [(600, 330), (660, 320), (690, 400), (620, 410)])
"""Something in each lung, on the screen."""

JOB_MS = 120_000


@pytest.mark.usefixtures("worker")
def test_a_whole_campaign(arrive, home, listening) -> None:
    with listening(home) as (url, record):
        admin = arrive("admin", url)
        admin.go("/login")
        admin.sign_in()
        chief, engineer = (
            come_by_link(arrive(code, url), invite(admin, role, code)[code])
            for role, code in {"coordinator": "chief", "engineer": "ml"}.items()
        )
        found_campaign(chief)
        take_films_in(chief)
        links = invite(chief, "reader", "r1", "r2", "r3")
        readers = [come_by_link(arrive(code, url), link) for code, link in links.items()]

        open_for_drawing(chief)
        for reader in readers[:2]:
            begin(reader)
        for reader in readers[:2]:
            draw(reader, N_DRAWN // 2)
        train(chief, engineer)

        for reader in readers[:2]:
            judge(reader, record)
        adjudicate(chief, readers[2], record)
        lock_and_unblind(chief)
        export(chief, record)
        chief.click("Close stage I")
        chief.is_told("Stage ward/I is closed")
        promote(engineer)
        withdraw(chief, record)
        look_at_the_log(chief)


def found_campaign(chief: Person) -> None:
    """Three folds and two readers a case; it trains for a moment."""
    chief.go("/campaigns")
    chief.shot("campaigns-empty")
    chief.page.get_by_role("link", name="New campaign").click()
    page = chief.page
    page.get_by_label("Name").fill("ward")
    page.get_by_label("Specification").select_option("smoke")
    page.get_by_label("Folds of the cross-validation").fill(str(N_FOLDS))
    page.get_by_label("Readers who judge each case").fill("2")
    page.get_by_label("Further settings").fill("epochs=2\nsteps_per_epoch=2")
    chief.shot("new-campaign")
    chief.click("Create")
    chief.is_told("Campaign ward was created")


def take_films_in(chief: Person) -> None:
    """The films of the import folder; the broken one is named and left out."""
    chief.shot("films-waiting")
    chief.page.get_by_role("row", name="ward-7").get_by_label("phantoms").check()
    chief.click("Take in ward-7")
    chief.is_told("wait for a worker")
    reload_until(chief.page, "heading", "Ingest: job 1, done")
    expect(chief.page.get_by_role("row", name=re.compile("^refused .*torn.png is damaged"))).to_be_visible()
    chief.shot("films-taken-in")


def invite(host: Person, role: str, *codes: str) -> dict[str, str]:
    """Links for people, by code."""
    host.page.get_by_role("link", name="Accounts").click()
    host.page.get_by_label("One person a line").fill("\n".join(codes))
    host.page.get_by_label("Role").select_option(role)
    host.click("Make the links")
    host.shot(f"links-{role}")
    return {code: host.page.get_by_label(f"Link of {code}").input_value() for code in codes}


def come_by_link(person: Person, link: str) -> Person:
    """Choose a password and sign in."""
    person.page.goto(link)
    person.page.get_by_label("Password, 12").fill(PASSWORD)
    person.page.get_by_label("Password again").fill(PASSWORD)
    if person.code == "r1":
        person.shot("invitation")
    person.press("Enter")
    person.sign_in()
    return person


def open_for_drawing(chief: Person) -> None:
    """Stage I, with some of the films."""
    chief.go("/campaigns/ward")
    chief.shot("campaign-draft")
    chief.page.get_by_label("Number of films").first.fill(str(N_DRAWN))
    chief.click("Open stage I")
    chief.is_told("Stage ward/I is open")
    chief.shot("campaign-drawing")


def begin(reader: Person) -> None:
    """From the own page to the first film."""
    reader.go("/")
    reader.shot(f"{reader.code}-home")
    reader.page.get_by_role("link", name=re.compile("^(Draw|Read)$")).click()
    expect(reader.page.locator(".count")).to_have_text(re.compile("^1 of"))


def draw(reader: Person, n_films: int) -> None:
    """Both lungs of some films, with the lasso."""
    page = reader.page
    reader.press("KeyQ")
    for n in range(1, n_films + 1):
        expect(page.locator(".count")).to_have_text(re.compile(f"^{n} of"))
        expect(page.locator(".stage")).to_have_class(re.compile("drawing"))
        for outline in OUTLINES:
            page.mouse.move(*outline[0])
            page.mouse.down()
            for point in outline[1:]:
                page.mouse.move(*point)
            page.mouse.up()
        if n == 1:
            reader.shot(f"{reader.code}-draws")
        reader.press("Enter")
    expect(page.locator(".toast")).to_contain_text("Saved")


def train(chief: Person, engineer: Person) -> None:
    """The coordinator starts it; the engineer watches it, and looks at what it left behind."""
    chief.page.reload()
    chief.click("Train stage I")
    chief.is_told("waits for a worker")
    engineer.go("/campaigns/ward")
    part = engineer.page.get_by_role("row").filter(has_text="unet").first
    expect(part).to_be_visible(timeout=JOB_MS)
    engineer.shot("training-progress")
    expect(engineer.page.get_by_role("heading", name=re.compile("^Training.*done"))).to_be_visible(timeout=JOB_MS)
    engineer.shot("training-done")
    engineer.page.get_by_role("link", name="Log of job 2").click()
    expect(engineer.page.get_by_role("heading", name=re.compile("Log of job.*train, done"))).to_be_visible()
    engineer.shot("training-log")
    engineer.page.get_by_role("link", name="Runs").click()
    engineer.shot("runs")
    engineer.page.get_by_role("link", name=re.compile("^train")).click()
    engineer.page.get_by_text("Checkpoints and the first card").first.click()
    expect(engineer.page.get_by_text('"losses"').first).to_be_visible()
    engineer.shot("run")


def judge(reader: Person, record: Record) -> None:
    """All films, by keyboard: the drawing is picked, but the second reader sees no infection in film-0's case."""
    page = reader.page
    begin(reader)
    for n in range(1, N_DRAWN + 1):
        expect(page.locator(".count")).to_have_text(f"{n} of {N_DRAWN}")
        reader.press("KeyV")
        expect(page.locator(".shown")).to_have_text("All candidates were shown")
        slot, is_disputed = drawing_before(record, reader.code)
        reader.press(f"Digit{slot + 1}")
        if n == 1:
            reader.shot(f"{reader.code}-grid")
            reader.press("KeyV")
            reader.shot(f"{reader.code}-large")
        reader.press("KeyN" if is_disputed and reader.code == "r2" else "Enter")
    expect(page.get_by_text("All cases are read").first).to_be_visible()
    reader.shot(f"{reader.code}-is-done")


def adjudicate(chief: Person, judge_: Person, record: Record) -> None:
    """The disputed case goes to the third reader."""
    chief.go("/campaigns/ward")
    chief.shot("campaign-read")
    chief.click("Lock stage I")
    expect(chief.page.locator(".alert-warning")).to_contain_text("adjudicate")
    chief.shot("lock-refused")
    chief.page.get_by_role("link", name="Readers and seats").click()
    chief.shot("readers-and-seats")
    chief.page.get_by_role("link", name="Cases whose readers differ").click()
    chief.page.get_by_label("Adjudicator").select_option("r3")
    chief.shot("adjudication")
    chief.click("Have them settled")
    chief.is_told("1 cases wait for r3.")
    begin(judge_)
    judge_.press("KeyV")
    expect(judge_.page.locator(".shown")).to_have_text("All candidates were shown")
    slot, _ = drawing_before(record, "r3")
    judge_.press(f"Digit{slot + 1}", "Enter")
    expect(judge_.page.get_by_text("All cases are read").first).to_be_visible()


def lock_and_unblind(chief: Person) -> None:
    """Before it, no page of the stage names a network beside a verdict."""
    chief.go("/campaigns/ward")
    chief.click("Lock stage I")
    chief.is_told(f"{N_DRAWN} final masks were made")
    chief.shot("locked")
    chief.click("Unblind stage I")
    chief.is_told("is unblinded")
    chief.page.get_by_role("link", name="What readers preferred").click()
    picked = chief.page.get_by_role("row", name=re.compile(r"^drawing 100 %.* 7$"))  # the adjudicator's counts apart
    expect(picked).to_be_visible()
    chief.shot("preference")


def export(chief: Person, record: Record) -> None:
    """Ask for it, and take it home; what is in it is what the record says."""
    page = chief.page
    chief.go("/campaigns/ward/exports")
    chief.click("Make an export")
    expect(page.get_by_role("link", name="Download")).to_be_visible(timeout=JOB_MS)
    chief.shot("exports")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    archive = zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
    names = {Path(name).name: name for name in archive.namelist()}
    rows = list(csv.DictReader(io.StringIO(archive.read(names["verdicts.csv"]).decode())))
    with record.database.read() as session:
        n_verdicts = len(session.scalars(select(Verdict)).all())
    assert len(rows) == n_verdicts
    assert sum(Path(name).parent.name == "masks" for name in archive.namelist()) == N_DRAWN
    chief.go("/campaigns/ward")


def promote(engineer: Person) -> None:
    """Stage II gets the networks that did best out-of-fold."""
    engineer.go("/campaigns/ward/II/ensemble")
    expect(engineer.page.get_by_text("Suggested are")).to_be_visible()
    engineer.shot("ensemble")
    engineer.click("Give the stage these")
    engineer.is_told("Stage ward/II has")


def withdraw(chief: Person, record: Record) -> None:
    """A patient whose film was learned from."""
    with record.database.read() as session:
        case = session.scalars(select(MaskRow).where(MaskRow.origin == MaskOrigin.DRAWING).limit(1)).one().case
        key, digest = case.key, case.film_digest
    page = chief.page
    page.get_by_role("link", name="Withdrawals").click()
    page.get_by_label("Any case of the patient").fill(key)
    page.get_by_label("The same case again").fill(key)
    page.get_by_label("Reason, for the log").fill("asked by letter of today")
    chief.click("Erase all films of this patient")
    expect(page.get_by_role("row", name=re.compile("^Checkpoints.*fold"))).to_be_visible()
    chief.shot("withdrawn")
    assert not record.store.path(digest).exists()


def look_at_the_log(chief: Person) -> None:
    """Every step stands in it, and the chain holds."""
    chief.page.get_by_role("link", name="Log", exact=True).click()
    chief.page.get_by_role("link", name="Check the chain").click()
    expect(chief.page.get_by_role("status")).to_contain_text("entries are as they were written")
    for action in ("campaign created", "stage opened", "training requested", "stage locked", "stage closed"):
        expect(chief.page.get_by_role("cell", name=action).first).to_be_visible()
    chief.shot("log")


def drawing_before(record: Record, code: str) -> tuple[int, bool]:
    """In which slot the drawing stands of the case before a reader, and whether the case is to be disputed."""
    with record.database.read() as session:
        mine = select(Comparison).join(Account, Comparison.account_id == Account.id)
        held = mine.where(Account.code == code, Comparison.decided_at.is_(None)).order_by(Comparison.claimed_at)
        seat = session.scalars(held.limit(1)).one()
        of_case = select(Candidate).where(Candidate.case_id == seat.case_id)
        drawn = next(one for one in session.scalars(of_case) if one.mask.origin is MaskOrigin.DRAWING)
        first = min(one.case_id for one in session.scalars(select(Candidate)))
        return (seat.order or []).index(drawn.position), seat.case_id == first


def reload_until(page: Page, role: Any, name: str) -> None:
    """Look again until a page that is not kept up to date has something."""
    for _ in range(60):
        if page.get_by_role(role, name=name).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    expect(page.get_by_role(role, name=name)).to_be_visible()
