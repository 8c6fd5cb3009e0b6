"""A short session in Firefox, which Playwright drives only in a build of its own: so over WebDriver BiDi, its own."""

import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import pytest
from sqlalchemy import select
from websockets.sync.client import ClientConnection, connect

from db.domain.provenance import MaskOrigin
from db.domain.verdict import VerdictKind
from db.models import MaskRow, Verdict

pytestmark = pytest.mark.browser

BROWSERS = ("firefox-esr", "firefox")
CODE, PASSWORD = "r1", "a quiet dark room"
STROKE = [(420, 200), (470, 330), (610, 360)]
TIMEOUT_S = 20
SHIFT, ENTER, BACKSPACE, ESCAPE = "\ue008", "\ue007", "\ue003", "\ue00c"
"""Keys without a print, as WebDriver names them. Source: W3C WebDriver, 17.4.2, keyboard actions."""

PREFERENCES = """
user_pref("app.normandy.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("toolkit.telemetry.enabled", false);
"""


@dataclass
class Firefox:
    """A tab of Firefox. Source: W3C WebDriver BiDi."""

    connection: ClientConnection
    tab: str = ""
    n_sent: int = 0
    complaints: list[str] = field(default_factory=list)
    """What its console called an error."""

    def begin(self) -> None:
        """Open a session on the first tab."""
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded"])
        self.tab = self.send("browsingContext.getTree")["contexts"][0]["context"]
        self.send("browsingContext.setViewport", context=self.tab, viewport={"width": 1280, "height": 720})

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command; what comes before it is noted."""
        self.n_sent += 1
        self.connection.send(json.dumps({"id": self.n_sent, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.connection.recv(timeout=TIMEOUT_S))
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.complaints.append(message["params"]["text"])
            if message.get("id") == self.n_sent:
                assert message["type"] == "success", message
                return dict(message["result"])

    def go(self, url: str) -> None:
        """Open a page."""
        self.send("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def look(self, expression: str) -> Any:
        """The value of an expression of the page: a text, a number or a truth."""
        answer = self.send("script.evaluate", expression=expression, target={"context": self.tab}, awaitPromise=True)
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression holds."""
        deadline = time.monotonic() + TIMEOUT_S
        while not self.look(expression):
            assert time.monotonic() < deadline, f"{expression}: {self.look('document.body.innerText')}"
            time.sleep(0.02)

    def shows(self, selector: str, text: str) -> None:
        """Wait until an element says a text."""
        self.wait_for(f"document.querySelector({json.dumps(selector)})?.textContent.includes({json.dumps(text)})")

    def box(self, selector: str) -> dict[str, float]:
        """Where an element lies on the page: x, y, width and height."""
        return json.loads(self.look(f"JSON.stringify(document.querySelector('{selector}').getBoundingClientRect())"))

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        box = self.box(selector)
        self.drag([(round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2))])

    def press(self, *keys: str) -> None:
        """Press keys one after the other; several letters are a chord."""
        for chord in keys:
            down = [{"type": "keyDown", "value": key} for key in chord]
            up = [{"type": "keyUp", "value": key} for key in reversed(chord)]
            self.act({"type": "key", "id": "keyboard", "actions": down + up})

    def write(self, text: str) -> None:
        """Type a text."""
        self.press(*text)

    def drag(self, points: Sequence[tuple[int, int]]) -> None:
        """One stroke of the mouse through points of the page."""
        moves = [{"type": "pointerMove", "x": x, "y": y, "duration": 0} for x, y in points]
        down, up = ({"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp"))
        mouse = {"pointerType": "mouse"}
        self.act({"type": "pointer", "id": "mouse", "parameters": mouse, "actions": [moves[0], down, *moves[1:], up]})

    def turn_wheel(self, at: tuple[int, int], by: int) -> None:
        """Turn the wheel over a point of the page."""
        turn = {"type": "scroll", "x": at[0], "y": at[1], "deltaX": 0, "deltaY": by, "duration": 0}
        self.act({"type": "wheel", "id": "wheel", "actions": [turn]})

    def act(self, *sources: dict[str, Any]) -> None:
        """Do what a hand does."""
        self.send("input.performActions", context=self.tab, actions=list(sources))


@pytest.fixture(scope="session")
def firefox(require: Callable[..., NoReturn], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Firefox without a window, its profile empty."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        require("browser", f"none of {', '.join(BROWSERS)} is on PATH")
    profile = tmp_path_factory.mktemp("firefox")
    (profile / "user.js").write_text(PREFERENCES)
    command = [program, "--headless", "--no-remote", "--remote-debugging-port=0", "--profile", str(profile)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr
        found = next(filter(None, (re.search(r"ws://\S+", line) for line in process.stderr)), None)
        if found is None:
            require("browser", f"{program} ends before it listens")
        with connect(f"{found[0]}/session", max_size=None) as connection:
            browser = Firefox(connection)
            browser.begin()
            yield browser
        process.terminate()


def test_a_session_in_firefox(firefox, listening, filled_home, tmp_path) -> None:
    with listening(shutil.copytree(filled_home, tmp_path / "home")) as (url, record):
        firefox.go(f"{url}/login")
        firefox.write(CODE)
        firefox.click("#password")
        firefox.write(PASSWORD)
        firefox.press(ENTER)
        firefox.wait_for("document.querySelector('progress') !== null")
        firefox.go(f"{url}/read/pilot/II")

        firefox.shows(".count", "1 of 7")
        show_all(firefox)
        firefox.press("3", SHIFT + "2", ENTER)
        firefox.shows(".count", "2 of 7")

        firefox.press("v")
        firefox.shows(".shown", "All candidates were shown")
        firefox.press("v", "d")
        firefox.wait_for("document.querySelector('#brush-size') !== null")
        firefox.turn_wheel((700, 300), -300)
        firefox.press("r", "+", "+", "+")
        firefox.drag(STROKE)
        brush_px = int(firefox.look("document.querySelector('#brush-size').value"))
        box = firefox.box(".stage")
        firefox.shows(".kept", "Draft kept")
        firefox.press(ENTER)
        firefox.shows(".count", "3 of 7")

        firefox.press(BACKSPACE)
        firefox.shows(".banner", "redrawn")
        firefox.press(ESCAPE)
        firefox.shows(".count", "3 of 7")
        show_all(firefox)
        firefox.press("n")
        firefox.shows(".count", "4 of 7")
        assert firefox.complaints == []

        with record.database.read() as session:
            verdicts = session.scalars(select(Verdict).order_by(Verdict.id)).all()
            mask = session.get_one(MaskRow, verdicts[1].mask_id)
        assert [(verdict.kind, verdict.slot) for verdict in verdicts] == [
            (VerdictKind.PICK, 2),
            (VerdictKind.DENY_ALL, None),
            (VerdictKind.NO_INFECTION, None),
        ]
        assert verdicts[0].also_acceptable == [1]
        assert mask.origin is MaskOrigin.REDRAW
        drawn = record.store.get_mask(mask.digest)
        expected = swept(drawn.shape, box, zoom=1.25**3, radius_px=brush_px / 2)
        np.testing.assert_array_equal(drawn, expected)


def show_all(firefox: Firefox) -> None:
    """Show every candidate; the last one stays selected."""
    firefox.wait_for("document.querySelectorAll('.candidates .option').length === 6")
    for slot in range(1, 6):
        firefox.press(str(slot))
        firefox.wait_for(f"document.querySelectorAll('.candidates .option')[{slot}].classList.contains('seen')")


def swept(shape: tuple[int, int], box: dict[str, float], *, zoom: float, radius_px: float) -> np.ndarray:
    """The pixels [height, width] that STROKE sweeps on a film that is zoomed around the middle of its pane."""
    scale = zoom * min(box["width"] / shape[1], box["height"] / shape[0])
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    points = [((px - x) / scale + shape[1] / 2, (py - y) / scale + shape[0] / 2) for px, py in STROKE]
    rows, columns = np.indices(shape) + 0.5
    found = np.zeros(shape, np.bool_)
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        dx, dy = bx - ax, by - ay
        along = np.clip(((columns - ax) * dx + (rows - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        found |= (columns - ax - along * dx) ** 2 + (rows - ay - along * dy) ** 2 <= radius_px**2
    return found
