"""How quickly the brush follows the hand, and what a large film takes: the editor in Chromium without a GPU.

`.venv/bin/pytest tests/benchmark/editor.py -s`, alone on the machine. A move is timed from the moment the browser made
the event to the end of the frame that shows it; waiting for that frame, 60 of them a second, is half of it. What the
tools take in themselves is printed by `.venv/bin/python hatch_build.py bench`.
"""

import re
import threading
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select
from waitress.server import create_server

from annotation_server.app import create_app
from db.accounts import set_password
from db.domain.campaign import RoundState
from db.domain.study import SeatKind
from db.models import Account, CaseRow, Comparison, Round

CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PASSWORD = "correct horse battery"
N_MOVES = 200
WATCH = """() => {
  window.waits = [];
  const channel = new MessageChannel();
  let began = null;
  channel.port1.onmessage = () => { window.waits.push(performance.now() - began); began = null; };
  document.querySelector(".stage").addEventListener("pointermove", (event) => {
    if (event.buttons !== 1 || began !== null) return;
    began = event.timeStamp;
    requestAnimationFrame(() => channel.port2.postMessage(null));
  });
}"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("side_px", [2048, 4000])
def test_the_brush_on_a_film(build_room, chromium, side_px):
    record = build_room(n_cases=1)
    film = np.random.default_rng(0).integers(0, 4000, (side_px, side_px), np.uint16)
    with record.database.write() as session:
        set_password(session, session.scalars(select(Account)).one(), PASSWORD)
        session.scalars(select(Round)).one().state = RoundState.DRAWING
        session.scalars(select(Comparison)).one().kind = SeatKind.DRAWING
        case = session.scalars(select(CaseRow)).one()
        case.width_px = case.height_px = side_px
        case.film_digest = record.store.put_film(film)
    server = create_server(create_app(record), host="127.0.0.1", port=0, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    print()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        sign_in(page, f"http://127.0.0.1:{server.effective_port}")
        expect(page.locator(".stage.drawing")).to_be_visible(timeout=30_000)
        page.evaluate(WATCH)
        for style in ("outline", "fill"):
            waits_ms = stroke(page)
            median, p95 = np.percentile(waits_ms, [50, 95])
            print(f"{side_px} px, {style}: move to frame {median:.1f} ms, p95 {p95:.1f} ms, n {len(waits_ms)}")
            page.keyboard.press("KeyO")
        print(f"{side_px} px: the page takes {memory_mib(browser):.0f} MiB")
        browser.close()
    server.close()


def sign_in(page: Page, url: str) -> None:
    """Open the film."""
    page.goto(f"{url}/login")
    page.get_by_label("Code").fill("r1")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")
    page.goto(f"{url}/read/pilot/I")


def stroke(page: Page) -> list[float]:
    """A winding stroke; what each of its moves took in ms."""
    page.evaluate("() => { window.waits = []; }")
    angle = np.linspace(0, 6 * np.pi, N_MOVES)
    radius = np.linspace(60, 300, N_MOVES)
    places = np.stack([496 + radius * np.cos(angle), 380 + radius * np.sin(angle)], axis=1)
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    waits_ms: list[float] = page.evaluate("() => window.waits")
    return waits_ms


def memory_mib(browser) -> float:
    """What the largest process of a page takes for itself."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    found = [Path(f"/proc/{one['id']}/smaps_rollup").read_text() for one in processes if one["type"] == "renderer"]
    return max(int(re.findall(r"^Pss:\s+(\d+)", text, re.MULTILINE)[0]) for text in found) / 1024
