"""A real server before a real browser: one reader, one open stage, a few phantom cases with five candidates each."""

import json
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from pydantic import SecretStr
from scipy import ndimage
from sqlalchemy import select
from sqlalchemy.orm import Session
from waitress.server import create_server

from annotation_server.app import create_app
from db.accounts import add_account
from db.domain.campaign import Arm, CampaignDefinition, RoundState, StageDefinition, StageState
from db.domain.case import CaseClass, View
from db.domain.network import NetworkSpec
from db.domain.provenance import MaskOrigin, Role
from db.domain.recipe import TrainingRecipe
from db.domain.study import SeatKind
from db.models import (
    Campaign,
    CampaignCase,
    Candidate,
    CaseRow,
    Comparison,
    MaskRow,
    PhantomTruth,
    Round,
    Stage,
)
from db.record import Record
from db.repository.checks import make_flawed, offer_flawed
from db.settings import Settings
from pipelines.simulate import CONSPICUOUS, Phantom, make_phantom

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CODE, PASSWORD = "r1", "a quiet dark room"
HEIGHT_PX, WIDTH_PX = 480, 560
N_CASES = 7
NETWORKS = (
    NetworkSpec("unet", "tiny"),
    NetworkSpec("dla", "tiny"),
    NetworkSpec("unet_plus_plus", "tiny"),
    NetworkSpec("unet", "small"),
    NetworkSpec("dla", "small"),
)
TIMEOUT_MS = 10_000
AXE = Path(__file__).parents[2] / "annotation_server" / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
WCAG_21_AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


@dataclass(frozen=True)
class ReadingRoom:
    """A server at `url`, the record behind it, and what the browser complained about."""

    url: str
    record: Record
    page: Page
    complaints: list[str]

    def sign_in(self) -> None:
        """Sign in through the login page."""
        self.page.goto(f"{self.url}/login")
        self.page.get_by_label("Code").fill(CODE)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.url}/")

    def enter(self) -> None:
        """Open the reading screen and wait for its first case."""
        self.page.goto(f"{self.url}/read/pilot/II")
        expect(self.page.locator(".panel .primary")).to_be_visible()


@pytest.fixture(scope="session")
def page_of_browser(chromium: str) -> Iterator[Page]:
    """A page of 1280x720, with nothing kept from earlier tests."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(TIMEOUT_MS)
        yield page
        browser.close()


@pytest.fixture(scope="session")
def filled_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a record whose stage II waits to be read; tests copy it."""
    home = tmp_path_factory.mktemp("filled")
    record = Record.open(Settings(home=home))
    with record.database.write() as session:
        fill(session, record)
    record.database.dispose()
    return home


@pytest.fixture(scope="session")
def drawing_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a record whose stage I waits to be drawn; tests copy it."""
    home = tmp_path_factory.mktemp("to_draw")
    record = Record.open(Settings(home=home))
    with record.database.write() as session:
        fill(session, record, RoundState.DRAWING)
    record.database.dispose()
    return home


@pytest.fixture
def reading_room(page_of_browser: Page, filled_home: Path, tmp_path: Path) -> Iterator[ReadingRoom]:
    """A stage that is read, on a free port, reached by the browser."""
    with serve(shutil.copytree(filled_home, tmp_path / "home"), page_of_browser) as room:
        yield room


@pytest.fixture
def drawing_room(page_of_browser: Page, drawing_home: Path, tmp_path: Path) -> Iterator[ReadingRoom]:
    """A stage that is drawn, on a free port, reached by the browser."""
    with serve(shutil.copytree(drawing_home, tmp_path / "home"), page_of_browser) as room:
        yield room


@pytest.fixture
def asking_room(page_of_browser: Page, filled_home: Path, tmp_path: Path) -> Iterator[ReadingRoom]:
    """A stage with one practice case for each reader, which asks how sure they are and lets a redraw begin anywhere."""
    home = shutil.copytree(filled_home, tmp_path / "asking")
    record = Record.open(Settings(home=home))
    with record.database.write() as session:
        change_study(session, n_practice_cases=1, with_confidence=True, redraw_from_candidate=True)
        for case in session.scalars(select(CaseRow)):
            mask = np.zeros((case.height_px, case.width_px), np.bool_)
            mask[150:330, 100:220] = mask[180:300, 330:450] = True
            digest = record.store.put_mask(mask)
            session.add(PhantomTruth(case_id=case.id, infection_digest=digest, lung_digest=digest))
    rng = np.random.default_rng(0)
    sets = make_flawed(record, 1, rng)
    with record.database.write() as session:
        offer_flawed(session, session.get_one(Round, 1), sets, rng)
    record.database.dispose()
    with serve(home, page_of_browser) as room:
        yield room


@pytest.fixture
def asking_drawing_room(page_of_browser: Page, drawing_home: Path, tmp_path: Path) -> Iterator[ReadingRoom]:
    """A stage that is drawn, and asks how sure its readers are."""
    home = shutil.copytree(drawing_home, tmp_path / "asking")
    record = Record.open(Settings(home=home))
    with record.database.write() as session:
        change_study(session, with_confidence=True)
    record.database.dispose()
    with serve(home, page_of_browser) as room:
        yield room


@pytest.fixture
def serving() -> Any:
    """`serve`, for tests that fill a record of their own."""
    return serve


@pytest.fixture
def listening() -> Any:
    """`listen`, for tests with a browser of their own."""
    return listen


@pytest.fixture
def assert_accessible() -> Callable[[Page], None]:
    """Fails with what axe-core finds on a page against WCAG 2.1, levels A and AA."""
    return _assert_accessible


def _assert_accessible(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)  # the page's own policy lets no foreign script in

    def evaluate(expression: str) -> Any:
        answer = devtools.send(
            "Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True}
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    evaluate(AXE.read_text() + "; 0")
    result = evaluate(f"axe.run(document, {{runOnly: {json.dumps(WCAG_21_AA)}, resultTypes: ['violations']}})")
    devtools.detach()
    found = [
        f"{violation['id']}: {node['html'][:160]}: {' '.join(node['failureSummary'].split())}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
    assert result["passes"], "axe-core looked at nothing."
    assert not found, f"{page.url}\n" + "\n".join(found)


@contextmanager
def listen(home: Path) -> Iterator[tuple[str, Record]]:
    """The server of a record: its address, and the record."""
    record = Record.open(Settings(home=home, secret_key=SecretStr(secrets.token_hex())))
    server = create_server(create_app(record), host="127.0.0.1", port=0, threads=4)
    loop = threading.Thread(target=server.run, daemon=True)
    loop.start()
    yield f"http://127.0.0.1:{server.effective_port}", record
    server.task_dispatcher.shutdown()  # what a page had asked for when it was left is answered to nobody
    server.trigger.pull_trigger(server.close)  # in its own thread, which ends with the browser's last connection
    record.database.dispose()


@contextmanager
def serve(home: Path, page: Page) -> Iterator[ReadingRoom]:
    """The server of a record before a page of Chromium."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    with listen(home) as (url, record):
        yield ReadingRoom(url, record, page, complaints)
        page.goto("about:blank")
        page.context.clear_cookies()


def fill(session: Session, record: Record, state: RoundState = RoundState.READING) -> None:
    """One reader, and an open stage II that is drawn, or whose networks have proposed."""
    add_account(session, CODE, Role.READER, password=PASSWORD)
    stage = StageDefinition("II", NETWORKS, with_drawing=False, recipe=TrainingRecipe(input_size=32))
    definition = CampaignDefinition((stage,))
    campaign = Campaign(name="pilot", definition_json=definition.to_json())
    campaign.stages = [Stage(name="II", position=0, state=StageState.OPEN)]
    campaign.stages[0].rounds.append(Round(number=1, state=state))
    session.add(campaign)
    session.flush()
    phantom = make_phantom(np.random.default_rng(1), side_px=WIDTH_PX, infected=True, preset=CONSPICUOUS)
    for i in range(N_CASES):
        add_case(session, record, phantom, i)


def change_study(session: Session, **fields: object) -> None:
    """Let the stage's study be another one."""
    campaign = session.scalars(select(Campaign)).one()
    definition = json.loads(campaign.definition_json)
    definition["stages"][0]["study"] |= fields
    campaign.definition_json = json.dumps(definition, sort_keys=True, separators=(",", ":"))


def add_case(session: Session, record: Record, phantom: Phantom, i: int) -> None:
    """A film, five proposals for it, and one free seat before them."""
    rng = np.random.default_rng(i)
    stage = session.scalars(select(Stage)).one()
    case = CaseRow(
        key=f"c{i}",
        patient=f"p{i}",
        component=f"c{i}",
        case_class=CaseClass.INFECTION,
        view=View.PA,
        source="phantom",
        licence="CC0-1.0",
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        film_digest=record.store.put_film(phantom.film[:HEIGHT_PX]),
        lung_digest=record.store.put_mask(phantom.lung[:HEIGHT_PX]),
        fingerprint=b"",
        simulated=True,
    )
    session.add(case)
    session.flush()
    session.add(
        CampaignCase(
            campaign_id=stage.campaign_id,
            case_id=case.id,
            arm=Arm.READ,
            stage_id=stage.id,
            component=case.component,
            fold=i % 5,
        )
    )
    if stage.rounds[0].state is RoundState.DRAWING:
        session.add(Comparison(round_id=stage.rounds[0].id, case_id=case.id, kind=SeatKind.DRAWING))
        return
    for position in range(len(NETWORKS)):
        digest = record.store.put_map(proposal(phantom, rng))
        mask = MaskRow(campaign_id=stage.campaign_id, case_id=case.id, origin=MaskOrigin.NETWORK, map_digest=digest)
        session.add(mask)
        session.flush()
        session.add(Candidate(round_id=stage.rounds[0].id, case_id=case.id, position=position, mask_id=mask.id))
    session.add(Comparison(round_id=stage.rounds[0].id, case_id=case.id))


def proposal(phantom: Phantom, rng: np.random.Generator) -> np.ndarray:
    """A probability map that is near the truth, and wrong in its own way."""
    noise = ndimage.gaussian_filter(rng.normal(size=phantom.infection.shape), 16)
    blurred = ndimage.gaussian_filter(phantom.infection.astype(np.float32), 6)
    return np.clip(blurred + 0.1 * noise / noise.std(), 0, 1)[:HEIGHT_PX].astype(np.float32)
