"""How quickly the reading screen answers: flips, window and level, the next case; Chromium without a GPU.

`.venv/bin/pytest tests/benchmark/reading_screen.py -s`, alone on the machine. Films of 2048 x 2048, four candidates and
the film alone in the grid. A flip and a move are timed from the moment the browser made the event to the end of the
frame that shows it, waiting for that frame included; the next case from the key that accepts to the end of the frame
that shows it, its verdict on the server's disk by then. The scripts' sizes are those that travel (gzip).
"""

import gzip
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect, sync_playwright
from scipy import ndimage
from sqlalchemy import select
from waitress.server import create_server

import annotation_server
from annotation_server.app import create_app
from db.accounts import set_password
from db.models import Account, CaseRow, MaskRow

CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PASSWORD = "correct horse battery"
SIDE_PX, N_CASES, N_FLIPS, N_MOVES = 2048, 16, 60, 200
GATES = {"flip": (16.0, "ms"), "window and level": (30.0, "ms"), "next case": (150.0, "ms"), "scripts": (60.0, "KB")}
WATCH = """() => {
  window.waits = { flip: [], move: [], next: [] };
  const channel = new MessageChannel();
  let began = null, what = null, accepted = null;
  channel.port1.onmessage = () => { window.waits[what].push(performance.now() - began); began = null; };
  const watch = (kind, at) => {
    if (began !== null) return;
    [began, what] = [at, kind];
    requestAnimationFrame(() => channel.port2.postMessage(null));
  };
  addEventListener("keydown", (event) => {
    if (event.code.startsWith("Digit") && !event.repeat) watch("flip", event.timeStamp);
    if (event.code === "Enter") accepted = event.timeStamp;
  });
  addEventListener("pointermove", (event) => { if (event.buttons === 2) watch("move", event.timeStamp); });
  new MutationObserver(() => { if (accepted !== null) { watch("next", accepted); accepted = null; } })
    .observe(document.querySelector("progress"), { attributes: true });
}"""


@pytest.mark.timeout(300)
def test_the_reading_screen(build_room, chromium):
    record = build_room(n_cases=N_CASES)
    fill(record)
    server = create_server(create_app(record), host="127.0.0.1", port=0, threads=4)
    threading.Thread(target=server.run, daemon=True).start()
    print()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        sign_in(page, f"http://127.0.0.1:{server.effective_port}")
        expect(page.locator(".panel .primary")).to_be_visible(timeout=30_000)
        page.evaluate(WATCH)
        flip(page)
        page.keyboard.press("KeyV")
        page.wait_for_timeout(500)
        window(page)
        page.keyboard.press("KeyV")
        accept(page)
        waits = page.evaluate("() => window.waits")
        browser.close()
    server.close()
    for name, kind in (("flip", "flip"), ("window and level", "move"), ("next case", "next")):
        median, p95 = np.percentile(waits[kind], [50, 95])
        report(name, median, f"p95 {p95:.1f}, n {len(waits[kind])}")
    for page_name, size in scripts():
        report("scripts", size, page_name)


def fill(record):
    """Films and masks as large as real ones, in place of the small ones; no two films alike."""
    rng = np.random.default_rng(0)
    anatomy = ndimage.zoom(rng.normal(0, 1, (32, 32)), SIDE_PX / 32, order=1)
    grain = rng.normal(0, 0.05, (SIDE_PX, SIDE_PX))
    blobs = [ndimage.gaussian_filter(rng.normal(0, 1, (224, 224)), 14) for _ in range(12)]
    maps = [record.store.put_map((one > 0.03).astype(np.float32)) for one in blobs]
    drawings = [record.store.put_mask(ndimage.zoom(one, SIDE_PX / 224, order=1) > 0.03) for one in blobs[:4]]
    with record.database.write() as session:
        set_password(session, session.scalars(select(Account)).one(), PASSWORD)
        for i, case in enumerate(session.scalars(select(CaseRow))):
            film = np.clip(2000 + 600 * np.roll(anatomy + grain, 97 * i, 1), 0, 4095)
            case.width_px = case.height_px = SIDE_PX
            case.film_digest, case.lung_digest = record.store.put_film(film.astype(np.uint16)), None
        for i, mask in enumerate(session.scalars(select(MaskRow))):
            if mask.map_digest:
                mask.map_digest = maps[i % 12]
            else:
                mask.digest = drawings[i % 4]


def sign_in(page: Page, url: str) -> None:
    """Open the first case."""
    page.goto(f"{url}/login")
    page.get_by_label("Code").fill("r1")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")
    page.goto(f"{url}/read/pilot/I")


def flip(page: Page) -> None:
    """Hold one candidate after the other over the film."""
    for i in range(N_FLIPS):
        page.keyboard.down(f"Digit{1 + i % 4}")
        page.wait_for_timeout(60)
        page.keyboard.up(f"Digit{1 + i % 4}")


def window(page: Page) -> None:
    """Drag window and level with the right button."""
    page.mouse.move(300, 300)
    page.mouse.down(button="right")
    for i in range(N_MOVES):
        page.mouse.move(300 + 80 * np.sin(i / 9), 300 + 60 * np.cos(i / 7))
    page.mouse.up(button="right")


def accept(page: Page) -> None:
    """Look at all candidates of each case for a moment, accept one."""
    for _ in range(N_CASES - 1):
        n_shown = page.evaluate("() => window.waits.next.length")
        for digit in "1234":
            page.keyboard.press(f"Digit{digit}")
            page.wait_for_timeout(300)
        page.keyboard.press("Enter")
        page.wait_for_function("n => window.waits.next.length > n", arg=n_shown)


def scripts():
    """Each page's script with all that it loads, in KB on the way."""
    folder = Path(annotation_server.__file__).parent / "static" / "dist"
    entries = json.loads((folder / ".vite" / "manifest.json").read_text())
    for name, entry in entries.items():
        if entry.get("isEntry"):
            files = [entry["file"], *(entries[one]["file"] for one in entry.get("imports", ()))]
            yield name, sum(len(gzip.compress((folder / file).read_bytes())) for file in files) / 1000


def report(name, value, more):
    """One line beside its gate."""
    gate, unit = GATES[name]
    print(f"{name:16} {value:6.1f} {unit} ({more}), {value / gate:.2f} of the gate")
