import { expect, it } from "vitest";

import { Keymap } from "../src/keymap";
import { actionOf as ask, digitOf, heldOf, type KeyPress, shadingOf } from "../src/keys";

const KEYMAP = new Keymap({ getItem: () => null, setItem: () => undefined, removeItem: () => undefined });
const actionOf = (press: KeyPress, mode: "reading" | "drawing") => ask(press, mode, KEYMAP);

const NONE = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };

it("reads keys by their place, whatever is printed on them", () => {
  expect(actionOf({ ...NONE, code: "KeyD", key: "в" }, "reading")).toBe("denyAll");
  expect(actionOf({ ...NONE, code: "NumpadEnter", key: "Enter" }, "reading")).toBe("accept");
});

it("takes back by the printed Z, on German and French keyboards too", () => {
  for (const code of ["KeyZ", "KeyY", "KeyW"]) {
    expect(actionOf({ ...NONE, ctrlKey: true, code, key: "z" }, "reading")).toBe("takeBack");
    expect(actionOf({ ...NONE, ctrlKey: true, code, key: "z" }, "drawing")).toBe("undo");
    expect(actionOf({ ...NONE, ctrlKey: true, shiftKey: true, code, key: "Z" }, "drawing")).toBe("redo");
  }
});

it("gives the same key another meaning in the editor", () => {
  const press = { ...NONE, code: "KeyE", key: "e" };
  expect(actionOf(press, "reading")).toBe("touchUp");
  expect(actionOf(press, "drawing")).toBe("eraser");
  expect(actionOf({ ...NONE, code: "KeyD", key: "d" }, "drawing")).toBeNull();
  for (const mode of ["reading", "drawing"] as const) expect(actionOf({ ...NONE, code: "KeyG", key: "g" }, mode)).toBe("lungs");
});

it("leaves the browser its own shortcuts", () => {
  expect(actionOf({ ...NONE, ctrlKey: true, code: "KeyR", key: "r" }, "reading")).toBeNull();
  expect(actionOf({ ...NONE, altKey: true, code: "KeyD", key: "d" }, "reading")).toBeNull();
});

it("knows the digits of both blocks", () => {
  expect([digitOf("Digit3"), digitOf("Numpad0"), digitOf("KeyA")]).toEqual([3, 0, null]);
});

it("helps by the printed question mark, which lies elsewhere on each layout", () => {
  for (const code of ["Slash", "Minus", "KeyM"]) { // English, German, French
    for (const mode of ["reading", "drawing"] as const) {
      expect(actionOf({ ...NONE, shiftKey: true, code, key: "?" }, mode)).toBe("help");
    }
  }
});

it("keeps the brush's keys where a layout prints plus or minus on them", () => {
  expect(actionOf({ ...NONE, code: "BracketRight", key: "+" }, "drawing")).toBe("larger");
  expect(actionOf({ ...NONE, code: "BracketRight", key: "+" }, "reading")).toBe("zoomIn");
});

it("changes window and level by the arrows while their key is held, which pan otherwise", () => {
  expect(actionOf({ ...NONE, code: "ArrowLeft", key: "ArrowLeft" }, "reading")).toBe("panLeft");
  expect(shadingOf(null, "ArrowLeft")).toBeNull();
  expect(shadingOf("window", "ArrowLeft")).toBe("narrower");
  expect(shadingOf("level", "ArrowUp")).toBe("brighter");
  expect(shadingOf("level", "KeyW")).toBeNull();
  expect(heldOf({ ...NONE, code: "KeyW", key: "z" }, "reading", KEYMAP)).toBe("window");
  expect(heldOf({ ...NONE, ctrlKey: true, code: "KeyW", key: "w" }, "reading", KEYMAP)).toBeNull();
});
