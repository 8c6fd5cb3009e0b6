"""A reader at work in a real browser: what is done on the screen is what stands in the record."""

import itertools
import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select, update

from db.domain.campaign import StageState
from db.domain.mask import canonical_grid_mask, resample
from db.domain.provenance import MaskOrigin
from db.domain.verdict import UnreadableReason, VerdictKind
from db.models import Candidate, CaseRow, Comparison, MaskRow, Stage, Verdict

pytestmark = pytest.mark.browser

STROKE = [(420, 200), (470, 330), (610, 360)]


def test_a_session_by_keyboard_alone_leaves_every_kind_of_verdict(reading_room) -> None:
    """All but the strokes of the two drawings, which need a hand."""
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    expect(page.locator(".count")).to_have_text("1 of 7")
    expect(page.locator(".phantoms")).to_have_text("Phantom films: simulated")

    press(page, "Digit2")
    expect(page.locator(".shown")).to_have_text("Still to show: 1, 3, 4, 5")
    press(page, "Enter")
    expect(page.locator(".toast")).to_have_text("Still to show: 1, 3, 4, 5")

    show_all(page)
    press(page, "Numpad3", "Shift+Digit2", "NumpadEnter")
    expect(page.locator(".count")).to_have_text("2 of 7")

    press(page, "KeyP")
    expect(page.locator(".toast")).to_have_text("Postponed.")

    show_all(page)
    press(page, "KeyN")
    expect(page.locator(".count")).to_have_text("3 of 7")

    press(page, "KeyF", "Digit2")
    expect(page.locator(".count")).to_have_text("4 of 7")

    press(page, "KeyV")
    expect(page.locator(".shown")).to_have_text("All candidates were shown")
    press(page, "KeyV", "Digit4", "KeyE")
    paint(page, STROKE)
    press(page, "Enter")
    expect(page.locator(".count")).to_have_text("5 of 7")

    show_all(page)
    press(page, "KeyD")
    paint(page, STROKE)
    press(page, "Enter")
    expect(page.locator(".count")).to_have_text("6 of 7")

    # Back over the redraw to the touch-up, which becomes a pick; the postponed case comes last.
    press(page, "Backspace")
    expect(page.locator(".banner")).to_contain_text("redrawn")
    press(page, "Backspace")
    expect(page.locator(".banner")).to_contain_text("4 touched up")
    press(page, "Digit1", "Enter")
    expect(page.locator(".toast")).to_have_text("Saved: verdict revised.")
    for count in ("7 of 7", "All cases are read"):
        show_all(page)
        press(page, "Enter")
        expect(page.get_by_text(count).first).to_be_visible()

    verdicts = verdicts_of(room)
    assert [(v.kind, v.slot, v.revision) for v in verdicts] == [
        (VerdictKind.PICK, 2, 1),
        (VerdictKind.NO_INFECTION, None, 1),
        (VerdictKind.UNREADABLE, None, 1),
        (VerdictKind.TOUCH_UP, 3, 1),
        (VerdictKind.DENY_ALL, None, 1),
        (VerdictKind.PICK, 0, 2),
        (VerdictKind.PICK, 4, 1),
        (VerdictKind.PICK, 4, 1),
    ]
    assert verdicts[0].also_acceptable == [1]
    assert verdicts[2].reason is UnreadableReason.NOT_FRONTAL
    assert verdicts[5].comparison_id == verdicts[3].comparison_id
    assert all(0 < v.visible_ms < 30_000 for v in verdicts)
    assert room.complaints == []


def test_a_tap_selects_and_a_held_key_only_flips(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    caption, accept = page.locator(".large .caption"), page.locator(".command.primary")
    press(page, "Digit2")
    expect(caption).to_have_text("2")
    page.keyboard.down("Digit4")
    expect(caption).to_have_text("4")
    page.wait_for_timeout(400)
    page.keyboard.up("Digit4")
    expect(caption).to_have_text("2")
    expect(accept).to_have_text(re.compile("Accept 2"))
    expect(page.locator(".shown")).to_have_text("Still to show: 1, 3, 5")


def test_a_candidate_behind_hidden_overlays_was_not_shown(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    page.keyboard.down("Space")
    press(page, "Digit1", "Digit2")
    expect(page.locator(".large .caption")).to_have_text("2")
    expect(page.locator(".shown")).to_have_text("Still to show: 1, 2, 3, 4, 5")
    page.keyboard.up("Space")
    expect(page.locator(".shown")).to_have_text("Still to show: 1, 3, 4, 5")


def test_the_lungs_are_outlined_and_a_film_without_a_lung_mask_is_named(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    press(page, "Digit0")
    film = picture(page)
    press(page, "KeyG")
    expect(page.get_by_role("button", name="Lungs")).to_have_attribute("aria-pressed", "true")
    assert picture(page) != film
    page.keyboard.down("Space")
    assert picture(page) == film
    page.keyboard.up("Space")
    page.get_by_role("button", name="Lungs").click()
    assert picture(page) == film
    with room.record.database.write() as session:
        session.execute(update(CaseRow).values(lung_digest=None))
    room.enter()
    press(page, "KeyG")
    expect(page.locator(".toast")).to_have_text("No lung outline for this film.")


def test_a_redraw_by_mouse_is_stored_as_the_discs_that_the_brush_swept(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    show_all(page)
    page.get_by_role("button", name="Deny all, redraw").click()
    page.locator("#brush-size").fill("31")
    paint(page, STROKE)
    paint(page, [(700, 300), (700, 420)])
    press(page, "Control+z")
    page.keyboard.down("Control")
    paint(page, [(430, 260), (520, 260)])
    page.keyboard.up("Control")
    page.get_by_role("button", name="Save drawing").click()
    expect(page.locator(".count")).to_have_text("2 of 7")

    (verdict,) = verdicts_of(room)
    mask = mask_of(room, verdict)
    drawn = room.record.store.get_mask(mask.digest)
    to_film = placement(page, drawn.shape)
    expected = swept(drawn.shape, to_film(STROKE), 15.5) & ~swept(drawn.shape, to_film([(430, 260), (520, 260)]), 15.5)
    assert mask.origin is MaskOrigin.REDRAW
    assert expected.any()
    np.testing.assert_array_equal(drawn, expected)


def test_a_touch_up_starts_from_the_candidate_that_was_shown(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    show_all(page)
    press(page, "Digit3")
    page.get_by_role("button", name="Touch up 3").click()
    expect(page.locator("#brush-size")).to_be_visible()
    press(page, "Enter")
    expect(page.locator(".toast")).to_contain_text("Nothing was changed")
    size = page.locator("#brush-size").input_value()
    paint(page, STROKE)
    page.get_by_role("button", name="Save drawing").click()
    expect(page.locator(".count")).to_have_text("2 of 7")

    (verdict,) = verdicts_of(room)
    mask = mask_of(room, verdict)
    drawn = room.record.store.get_mask(mask.digest)
    shown = candidate_in(room, verdict)
    start = resample(
        canonical_grid_mask(room.record.store.get_map(shown.map_digest), *drawn.shape).astype(np.float32), *drawn.shape
    )
    expected = (start >= 0.5) | swept(drawn.shape, placement(page, drawn.shape)(STROKE), float(size) / 2)
    is_tie = np.abs(start - 0.5) < 1e-3
    assert mask.parent_id == shown.id
    np.testing.assert_array_equal(drawn[~is_tie], expected[~is_tie])


def test_a_verdict_outlives_a_lost_connection_and_is_stored_once(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    show_all(page)
    lost = []

    def answer_is_lost(route) -> None:
        lost.append(route.fetch().status)
        route.abort()

    page.route("**/verdict", answer_is_lost, times=1)
    press(page, "Enter")
    expect(page.locator(".banner")).to_contain_text("Your verdict is kept here")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".count")).to_have_text("2 of 7")
    assert lost == [200]
    assert len(verdicts_of(room)) == 1


def test_an_unsent_drawing_is_offered_again_after_a_reload(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    show_all(page)
    press(page, "KeyD")
    paint(page, STROKE)
    expect(page.locator(".kept")).to_contain_text("Draft kept")
    page.reload()
    page.get_by_role("button", name="Restore it").click()
    page.get_by_role("button", name="Save drawing").click()
    expect(page.locator(".count")).to_have_text("2 of 7")
    assert mask_of(room, verdicts_of(room)[0]).origin is MaskOrigin.REDRAW


def test_a_stage_that_locks_meanwhile_is_said_calmly_and_the_drawing_stays(reading_room) -> None:
    room, page = reading_room, reading_room.page
    room.sign_in()
    room.enter()
    show_all(page)
    press(page, "KeyD")
    paint(page, STROKE)
    with room.record.database.write() as session:
        session.scalars(select(Stage)).one().state = StageState.LOCKED
    press(page, "Enter")
    expect(page.locator(".banner")).to_contain_text("locked")
    expect(page.get_by_role("button", name="Save drawing")).to_be_visible()
    assert verdicts_of(room) == []


def press(page: Page, *keys: str) -> None:
    """Press keys one after the other."""
    for key in keys:
        page.keyboard.press(key)


def show_all(page: Page) -> None:
    """Show every candidate; the last one stays selected."""
    for slot in range(5):
        page.keyboard.press(f"Digit{slot + 1}")
        expect(page.locator(".candidates .option").nth(slot + 1)).to_have_class(re.compile("seen"))


def paint(page: Page, points: list[tuple[int, int]]) -> None:
    """One stroke through `points` of the screen."""
    expect(page.locator("#brush-size")).to_be_visible()
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()


def placement(page: Page, shape: tuple[int, int]):
    """Where points of the screen lie on a film [height, width] that fills the large pane."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    height, width = shape
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    return lambda points: [((x - left) / scale, (y - top) / scale) for x, y in points]


def swept(shape: tuple[int, int], points: list[tuple[float, float]], radius: float) -> np.ndarray:
    """The pixels [height, width] whose centres lie within `radius` of the line through `points`."""
    y, x = np.indices(shape) + 0.5
    mask = np.zeros(shape, bool)
    for (ax, ay), (bx, by) in itertools.pairwise(points):
        dx, dy = bx - ax, by - ay
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        mask |= (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2 <= radius**2
    return mask


def verdicts_of(room) -> list[Verdict]:
    """All verdicts, oldest first."""
    with room.record.database.read() as session:
        return list(session.scalars(select(Verdict).order_by(Verdict.id)))


def mask_of(room, verdict: Verdict) -> MaskRow:
    """The mask that a verdict made."""
    with room.record.database.read() as session:
        return session.get_one(MaskRow, verdict.mask_id)


def candidate_in(room, verdict: Verdict) -> MaskRow:
    """The mask that stood in the verdict's slot."""
    with room.record.database.read() as session:
        seat = session.get_one(Comparison, verdict.comparison_id)
        query = select(Candidate).where(
            Candidate.case_id == seat.case_id, Candidate.position == seat.order[verdict.slot]
        )
        return session.scalars(query).one().mask


def picture(page: Page) -> bytes:
    """The large pane as it is painted, after the frame that is due."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".pane.large").screenshot()
