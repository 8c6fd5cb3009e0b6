"""A record with films that wait, a worker beside it, and people at browsers of their own."""

import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from db.accounts import add_account
from db.domain.provenance import Role
from db.record import Record
from db.settings import Settings
from pipelines.simulate import CONSPICUOUS, make_phantom

PASSWORD = "five quiet dark rooms"
SIDE_PX = 224
N_FILMS = 7


@dataclass
class Person:
    """Somebody at a browser of their own."""

    code: str
    page: Page
    url: str
    shots: Path
    complaints: list[str]
    assert_accessible: Callable[[Page], None]

    def go(self, path: str) -> None:
        """Open a page."""
        self.page.goto(self.url + path)

    def shot(self, name: str) -> None:
        """Keep a picture of the page, and look for what shuts anybody out of it."""
        self.assert_accessible(self.page)
        n = len(list(self.shots.iterdir())) + 1
        self.page.screenshot(path=self.shots / f"{n:02}-{name}.png")

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def click(self, name: str) -> None:
        """Press the button of that name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def is_told(self, text: str) -> None:
        """Wait for what the site says about what was just done."""
        expect(self.page.get_by_role("status").filter(has_text=text)).to_be_visible()

    def sign_in(self, password: str = PASSWORD) -> None:
        """Through the login page, or what a link led to."""
        self.page.get_by_label("Code").fill(self.code)
        self.page.get_by_label("Password").fill(password)
        self.press("Enter")
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures go."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path / "screens"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A record with one account, and films that wait in an import folder: phantoms, and a file that is broken."""
    home = tmp_path / "home"
    incoming = home / "incoming" / "ward-7"
    incoming.mkdir(parents=True)
    record = Record.open(Settings(home=home))
    with record.database.write() as session:
        add_account(session, "admin", Role.ADMIN, password=PASSWORD)
    record.database.dispose()
    lines = [("case", "patient", "class", "view")]
    for i in range(N_FILMS):
        phantom = make_phantom(np.random.default_rng(i), side_px=SIDE_PX, infected=True, preset=CONSPICUOUS)
        Image.fromarray(phantom.film).save(incoming / f"film-{i}.png")
        lines.append((f"film-{i}", f"patient-{i}", "infection", "pa"))
    (incoming / "torn.png").write_bytes((incoming / "film-0.png").read_bytes()[:999])
    lines.append(("torn", "patient-x", "infection", "pa"))
    with (incoming / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    return home


@pytest.fixture
def worker(home: Path) -> Iterator[None]:
    """A worker of the record."""
    environment = {**os.environ, "OVERREAD_HOME": str(home)}
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "worker"], env=environment, stdout=subprocess.DEVNULL
    )
    yield
    process.terminate()
    process.wait(30)


@pytest.fixture
def browser(page_of_browser: Page) -> Browser:
    """Chromium."""
    found = page_of_browser.context.browser
    assert found
    return found


@pytest.fixture
def arrive(browser: Browser, shots: Path, assert_accessible: Callable[[Page], None]) -> Iterator[Any]:
    """`arrive(code, url)`: a person with an empty browser."""
    people: list[Person] = []

    def come(code: str, url: str) -> Person:
        page = browser.new_context(viewport={"width": 1280, "height": 720}, accept_downloads=True).new_page()
        page.set_default_timeout(10_000)
        page.on("dialog", lambda dialog: dialog.accept())
        person = Person(code, page, url, shots, [], assert_accessible)
        page.on("pageerror", lambda error: person.complaints.append(str(error)))
        page.on(
            "console",
            lambda line: person.complaints.append(f"{line.text} {line.location}") if line.type == "error" else None,
        )
        people.append(person)
        return person

    yield come
    for person in people:
        person.page.context.close()
    assert [complaint for person in people for complaint in person.complaints] == []
