"""A reader who draws, in a real browser: the masks in the record are what the tools say, and no drawing is lost."""

import itertools
import re
import zlib

import numpy as np
import pytest
from playwright.sync_api import Error, Page, expect
from sqlalchemy import select

from db.domain.mask import pack
from db.domain.provenance import MaskOrigin
from db.domain.verdict import VerdictKind
from db.models import Campaign, Draft, MaskRow, Verdict

pytestmark = pytest.mark.browser

SHAPE = (480, 560)
STROKE = [(420, 200), (470, 330), (610, 360)]
OTHER_STROKE = [(300, 420), (380, 520)]
TRIANGLE = [(300, 180), (520, 240), (340, 430)]
SMALL_TRIANGLE = [(340, 220), (430, 250), (360, 320)]
BRUSH_PX = 21
KEPT = re.compile(r"^Draft kept \d")
"""What the panel says once the server has the draft."""


@pytest.fixture
def room(drawing_room):
    """A stage that is drawn, its first film before the reader."""
    drawing_room.sign_in()
    drawing_room.enter()
    drawing_room.page.locator("#brush-size").fill(str(BRUSH_PX))
    yield drawing_room
    assert drawing_room.complaints == []


@pytest.fixture
def elsewhere(room):
    """A page of the same reader in another browser, the same film before them."""
    context = room.page.context.browser.new_context(
        viewport={"width": 1280, "height": 720}, storage_state={"cookies": room.page.context.cookies(), "origins": []}
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    yield page
    context.close()


def test_lasso_and_polygon_fill_and_cut_out_what_their_line_encloses(room) -> None:
    page = room.page
    press(page, "KeyQ")
    drag(page, TRIANGLE)
    page.keyboard.down("Control")
    drag(page, SMALL_TRIANGLE)
    page.keyboard.up("Control")
    press(page, "KeyT")
    click(page, [(600, 180), (700, 200), (900, 600)])
    press(page, "Backspace")
    click(page, [(690, 300)])
    press(page, "Enter", "KeyE")
    click(page, [(640, 190), (670, 200), (660, 230)])
    page.mouse.dblclick(630, 215)
    click(page, [(200, 200), (230, 200), (220, 240)])
    press(page, "Escape")
    save(room)
    filled = inside(room, TRIANGLE) & ~inside(room, SMALL_TRIANGLE)
    filled |= inside(room, [(600, 180), (700, 200), (690, 300)])
    filled &= ~inside(room, [(640, 190), (670, 200), (660, 230), (630, 215)])
    np.testing.assert_array_equal(drawn(room), filled)


def test_holes_are_filled_specks_removed_and_both_taken_back(room) -> None:
    page = room.page
    press(page, "KeyQ")
    drag(page, TRIANGLE)
    press(page, "KeyE")
    drag(page, SMALL_TRIANGLE)
    press(page, "KeyB")
    page.locator("#brush-size").fill("7")
    click(page, [(640, 300)])
    page.locator("#brush-size").fill(str(BRUSH_PX))
    press(page, "KeyJ", "KeyJ")
    expect(page.locator(".toast")).to_have_text("There is no hole.")
    press(page, "KeyK", "KeyK")
    expect(page.locator(".toast")).to_have_text("No part is smaller than the brush.")
    press(page, "Control+z", "Control+z", "Control+y")
    press(page, "Delete")
    expect(page.get_by_role("button", name="Save drawing")).to_have_attribute("aria-disabled", "true")
    press(page, "Control+z")
    save(room)
    speck = swept(room, [(640, 300), (640, 300)], 3.5)
    np.testing.assert_array_equal(drawn(room), inside(room, TRIANGLE) | speck)


def test_a_hidden_mask_is_shown_again_by_a_stroke(room) -> None:
    page = room.page
    drag(page, STROKE)
    hide = page.get_by_role("button", name="Hide mask")
    press(page, "KeyM")
    expect(hide).to_have_attribute("aria-pressed", "true")
    drag(page, OTHER_STROKE)
    expect(hide).to_have_attribute("aria-pressed", "false")
    counts = page.get_by_role("button", name="As it counts")
    press(page, "KeyU")
    expect(counts).to_have_attribute("aria-pressed", "true")


def test_a_pen_draws_while_the_palm_rests_and_two_fingers_zoom(room) -> None:
    page = room.page
    cdp = page.context.new_cdp_session(page)

    def pen(kind: str, at: tuple[int, int], buttons: int = 1) -> None:
        place = {"x": at[0], "y": at[1], "pointerType": "pen", "buttons": buttons, "force": 0.2}
        cdp.send("Input.dispatchMouseEvent", {"type": kind, "button": "left", "clickCount": 1, **place})

    def touch(kind: str, *points: tuple[int, int]) -> None:
        cdp.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]},
        )

    pen("mousePressed", STROKE[0])
    touch("touchStart", (700, 600))
    pen("mouseMoved", STROKE[1])
    touch("touchMove", (500, 400))
    pen("mouseMoved", STROKE[2])
    touch("touchEnd")
    pen("mouseReleased", STROKE[2], 0)
    page.wait_for_timeout(600)
    touch("touchStart", (400, 300), (600, 300))
    touch("touchMove", (300, 300), (700, 300))
    touch("touchEnd")
    drag(page, [(500, 300), (540, 300)])
    save(room)
    stroke = swept(room, STROKE, BRUSH_PX / 2)
    np.testing.assert_array_equal(drawn(room) & stroke, stroke)  # the palm moved nothing
    width_px = np.ptp(np.argwhere(drawn(room) & ~stroke)[:, 1]) + 1
    (left, _), (right, _) = placement(page)([(500, 300), (540, 300)])
    assert abs(width_px - (BRUSH_PX + (right - left) / 2)) <= 2  # the film was twice as large


def test_a_drawing_outlives_the_crash_of_its_page(room, elsewhere) -> None:
    never_sent = ("**/draft", lambda route: route.abort() if route.request.method == "PUT" else route.continue_())
    elsewhere.route(*never_sent)
    elsewhere.goto(f"{room.url}/read/pilot/II")
    elsewhere.locator("#brush-size").fill(str(BRUSH_PX))
    drag(elsewhere, STROKE)
    expect(elsewhere.locator(".kept")).to_contain_text("only in this browser")
    after = elsewhere.context.new_page()
    with pytest.raises(Error, match="crash"):
        elsewhere.goto("chrome://crash", timeout=5_000)
    assert draft_of(room) is None
    after.goto(f"{room.url}/read/pilot/II")
    expect(after.locator(".banner")).to_contain_text("Your unsent drawing goes on.")
    after.get_by_role("button", name="Save drawing").click()
    expect(after.locator(".count")).to_have_text("2 of 7")
    np.testing.assert_array_equal(drawn(room), swept(room, STROKE, BRUSH_PX / 2))


def test_another_browser_goes_on_from_the_draft_and_the_verdict_ends_it(room, elsewhere) -> None:
    drag(room.page, STROKE)
    expect(room.page.locator(".kept")).to_have_text(KEPT)
    assert draft_of(room) == pack(swept(room, STROKE, BRUSH_PX / 2))
    elsewhere.goto(f"{room.url}/read/pilot/II")
    expect(elsewhere.locator(".banner")).to_contain_text("Your unsent drawing goes on.")
    elsewhere.locator("#brush-size").fill(str(BRUSH_PX))
    drag(elsewhere, OTHER_STROKE)
    press(elsewhere, "Enter")
    expect(elsewhere.locator(".count")).to_have_text("2 of 7")
    both = swept(room, STROKE, BRUSH_PX / 2) | swept(room, OTHER_STROKE, BRUSH_PX / 2)
    np.testing.assert_array_equal(drawn(room), both)
    assert draft_of(room) is None


def test_a_drawing_that_was_sent_is_revised_in_another_browser_and_a_draft_may_be_discarded(room, elsewhere) -> None:
    drag(room.page, STROKE)
    save(room)
    elsewhere.goto(f"{room.url}/read/pilot/II")
    shows(elsewhere, "2 of 7")
    press(elsewhere, "Backspace")
    expect(elsewhere.locator(".banner")).to_contain_text("Earlier case, drawn.")
    elsewhere.locator("#brush-size").fill(str(BRUSH_PX))
    drag(elsewhere, OTHER_STROKE)
    expect(elsewhere.locator(".kept")).to_have_text(KEPT)
    elsewhere.reload()
    shows(elsewhere, "2 of 7")
    press(elsewhere, "Backspace")
    elsewhere.get_by_role("button", name="Discard it").click()
    expect(elsewhere.get_by_role("button", name="Undo")).to_have_attribute("aria-disabled", "true")
    expect(elsewhere.get_by_role("button", name="Discard it")).to_be_hidden()
    assert draft_of(room) is None
    drag(elsewhere, [(500, 500), (600, 500)])
    press(elsewhere, "Enter")
    expect(elsewhere.locator(".toast")).to_have_text("Saved: verdict revised.")
    expected = swept(room, STROKE, BRUSH_PX / 2) | swept(room, [(500, 500), (600, 500)], BRUSH_PX / 2)
    np.testing.assert_array_equal(drawn(room), expected)


def test_a_stale_drawing_overwrites_nothing_and_the_reader_chooses(room, elsewhere) -> None:
    page = room.page
    elsewhere.goto(f"{room.url}/read/pilot/II")
    elsewhere.locator("#brush-size").fill(str(BRUSH_PX))
    drag(page, STROKE)
    expect(page.locator(".kept")).to_have_text(KEPT)
    here, there = swept(room, STROKE, BRUSH_PX / 2), swept(room, OTHER_STROKE, BRUSH_PX / 2)

    drag(elsewhere, OTHER_STROKE)
    expect(elsewhere.locator(".banner")).to_contain_text("also drawn in another window")
    press(elsewhere, "Enter")
    expect(elsewhere.locator(".banner")).to_contain_text("also drawn in another window")
    assert draft_of(room) == pack(here)
    elsewhere.get_by_role("button", name="Keep this drawing").click()
    expect(elsewhere.locator(".kept")).to_have_text(KEPT)
    assert draft_of(room) == pack(there)

    drag(page, [(500, 500), (600, 500)])
    expect(page.locator(".banner")).to_contain_text("also drawn in another window")
    page.get_by_role("button", name="Take the other").click()
    expect(page.get_by_role("button", name="Undo")).to_have_attribute("aria-disabled", "true")
    save(room)
    np.testing.assert_array_equal(drawn(room), there)
    room.complaints.clear()  # a refusal is an error in the browser's eyes


def test_strokes_go_on_without_a_network_and_are_sent_when_it_is_back(room) -> None:
    page = room.page
    drag(page, STROKE)
    expect(page.locator(".kept")).to_have_text(KEPT)
    page.context.set_offline(True)
    drag(page, OTHER_STROKE)
    expect(page.locator(".kept")).to_contain_text("No connection. The draft is only in this browser")
    assert draft_of(room) == pack(swept(room, STROKE, BRUSH_PX / 2))
    page.context.set_offline(False)
    expect(page.locator(".kept")).to_have_text(KEPT)
    both = swept(room, STROKE, BRUSH_PX / 2) | swept(room, OTHER_STROKE, BRUSH_PX / 2)
    assert draft_of(room) == pack(both)
    room.complaints.clear()  # so is a lost connection


def test_a_session_of_drawing_by_keyboard(room) -> None:
    page = room.page
    press(page, "Enter")
    expect(page.locator(".toast")).to_have_text("Nothing is drawn. If there is no infection, press N.")
    drag(page, STROKE)
    press(page, "KeyN")
    expect(page.locator(".toast")).to_have_text("Something is drawn. Save it, or clear it first.")
    press(page, "Enter")
    shows(page, "2 of 7")
    press(page, "KeyN")
    shows(page, "3 of 7")
    press(page, "KeyF", "Digit1")
    shows(page, "4 of 7")
    press(page, "KeyP")
    expect(page.locator(".toast")).to_have_text("Postponed.")
    shows(page, "4 of 7")
    for kind in ("flagged", "no infection", "drawn"):
        press(page, "Backspace")
        expect(page.locator(".banner")).to_contain_text(f"Earlier case, {kind}.")
    press(page, "Escape")
    expect(page.locator(".banner")).to_be_hidden()
    kinds = [verdict.kind for verdict in verdicts(room)]
    assert kinds == [VerdictKind.DRAWN, VerdictKind.NO_INFECTION, VerdictKind.UNREADABLE]
    assert mask(room, 0).origin is MaskOrigin.DRAWING


def test_a_redraw_starts_from_a_candidate_where_the_stage_allows_it(reading_room) -> None:
    room, page = reading_room, reading_room.page
    with room.record.database.write() as session:
        campaign = session.scalars(select(Campaign)).one()
        setting = '"redraw_from_candidate":'
        campaign.definition_json = campaign.definition_json.replace(f"{setting}false", f"{setting}true")
    room.sign_in()
    room.enter()
    press(page, "KeyV")
    expect(page.locator(".shown")).to_have_text("All candidates were shown")
    press(page, "KeyD")
    page.get_by_role("button", name="Start from candidate 3").click()
    press(page, "Enter")
    expect(page.locator(".toast")).to_contain_text("Nothing was changed")
    drag(page, STROKE)
    save(room)
    (verdict,) = verdicts(room)
    assert (verdict.kind, verdict.started_from) == (VerdictKind.DENY_ALL, 2)
    assert mask(room, 0).parent_id is not None


def press(page: Page, *keys: str) -> None:
    """Press keys one after the other."""
    for key in keys:
        page.keyboard.press(key)


def drag(page: Page, points: list[tuple[int, int]]) -> None:
    """One stroke through `points` of the screen."""
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point)
    page.mouse.up()


def click(page: Page, points: list[tuple[int, int]]) -> None:
    """One click after the other, slower than a double click."""
    for point in points:
        page.mouse.click(*point)


def save(room) -> None:
    """Save the drawing of the first case."""
    room.page.get_by_role("button", name="Save drawing").click()
    expect(room.page.locator(".count")).to_have_text("2 of 7")


def shows(page: Page, count: str) -> None:
    """Wait until the film can be drawn on."""
    expect(page.locator(".count")).to_have_text(count)
    expect(page.locator(".stage")).to_have_class(re.compile("drawing"))


def placement(page: Page):
    """Where points of the screen lie on the film that fills the large pane."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    height, width = SHAPE
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    return lambda points: [((x - left) / scale, (y - top) / scale) for x, y in points]


def inside(room, points: list[tuple[int, int]]) -> np.ndarray:
    """The pixels [height, width] whose centres the closed line through `points` of the screen winds around."""
    y, x = np.indices(SHAPE) + 0.5
    turns = np.zeros(SHAPE, int)
    corners = placement(room.page)(points)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        (ux, uy), (lx, ly) = sorted([(ax, ay), (bx, by)], key=lambda corner: corner[1])
        if uy == ly:
            continue
        crosses = (uy <= y) & (y < ly) & (ux + (y - uy) * ((lx - ux) / (ly - uy)) <= x)
        turns += np.where(crosses, 1 if ay < by else -1, 0)
    return turns != 0


def swept(room, points: list[tuple[int, int]], radius: float) -> np.ndarray:
    """The pixels [height, width] whose centres lie within `radius` film pixels of the line through `points`."""
    y, x = np.indices(SHAPE) + 0.5
    found = np.zeros(SHAPE, bool)
    for (ax, ay), (bx, by) in itertools.pairwise(placement(room.page)(points)):
        dx, dy = bx - ax, by - ay
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / ((dx * dx + dy * dy) or 1), 0, 1)
        found |= (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2 <= radius**2
    return found


def verdicts(room) -> list[Verdict]:
    """All verdicts, oldest first."""
    with room.record.database.read() as session:
        return list(session.scalars(select(Verdict).order_by(Verdict.id)))


def mask(room, i: int) -> MaskRow:
    """The mask of the verdict number `i`; -1 is the last."""
    with room.record.database.read() as session:
        return session.get_one(MaskRow, verdicts(room)[i].mask_id)


def drawn(room) -> np.ndarray:
    """The pixels that the last verdict brought."""
    return room.record.store.get_mask(mask(room, -1).digest)


def draft_of(room) -> bytes | None:
    """The packed bits of the only draft on the server, None if there is none."""
    with room.record.database.read() as session:
        bits = session.scalars(select(Draft.bits)).one_or_none()
    return bits and zlib.decompress(bits)
