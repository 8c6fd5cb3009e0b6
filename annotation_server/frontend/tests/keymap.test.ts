import { expect, it } from "vitest";

import { Keymap } from "../src/keymap";
import { actionOf, isFixed } from "../src/keys";

const NONE = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };

function browser(kept: Record<string, string> = {}) {
  const store = new Map(Object.entries(kept));
  return {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => void store.set(key, value),
    removeItem: (key: string) => void store.delete(key),
  };
}

it("gives an action another key for good, and frees the one that it had", () => {
  const store = browser();
  expect(new Keymap(store).assign("denyAll", { code: "KeyY", key: "y" })).toBeNull();
  const later = new Keymap(store);
  expect(later.nameOf("denyAll")).toBe("Y");
  expect(actionOf({ ...NONE, code: "KeyY", key: "y" }, "reading", later)).toBe("denyAll");
  expect(actionOf({ ...NONE, code: "KeyD", key: "d" }, "reading", later)).toBeNull();
  expect(later.assign("touchUp", { code: "KeyD", key: "d" })).toBeNull();
});

it("refuses a key that means something else in the same place, and says what", () => {
  const keymap = new Keymap(browser());
  expect(keymap.assign("denyAll", { code: "KeyN", key: "n" })).toBe("noInfection");
  expect(keymap.assign("noInfection", { code: "KeyB", key: "b" })).toBe("brush");
  expect(keymap.assign("lasso", { code: "KeyW", key: "w" })).toBe("window");
  expect(keymap.codeOf("denyAll")).toBe("KeyD");
});

it("lets one key mean different things in reading and drawing, and an action keep its own", () => {
  const keymap = new Keymap(browser());
  expect(keymap.assign("brush", { code: "KeyD", key: "d" })).toBeNull();
  expect(keymap.assign("brush", { code: "KeyD", key: "d" })).toBeNull();
  expect(keymap.find("KeyD", "reading")).toBe("denyAll");
  expect(keymap.find("KeyD", "drawing")).toBe("brush");
});

it("goes back to the usual keys", () => {
  const store = browser();
  const keymap = new Keymap(store);
  keymap.assign("flag", { code: "KeyY", key: "y" });
  keymap.reset();
  expect(keymap.codeOf("flag")).toBe("KeyF");
  expect(new Keymap(store).codeOf("flag")).toBe("KeyF");
});

it.each(["no JSON", "null", "[1]", '{"nothing": {"code": "KeyY", "key": "y"}}', '{"flag": "KeyY"}', '{"flag": {"code": 7}}'])(
  "takes the usual keys where something else is kept: %s",
  (kept) => {
    expect(new Keymap(browser({ "overread.keys": kept })).codeOf("flag")).toBe("KeyF");
  },
);

it("calls a key by what the layout prints on it", () => {
  const keymap = new Keymap(browser());
  expect([keymap.nameOf("lasso"), keymap.nameOf("lessOpaque"), keymap.nameOf("hideOverlays")]).toEqual(["Q", ",", "Space"]);
  keymap.learn(new Map([["KeyQ", "a"], ["Comma", ";"]]));
  expect([keymap.nameOf("lasso"), keymap.nameOf("lessOpaque"), keymap.nameOf("previous")]).toEqual(["A", ";", "Backspace"]);
});

it.each([
  { code: "Digit3", key: "3" },
  { code: "Enter", key: "Enter" },
  { code: "ArrowUp", key: "ArrowUp" },
  { code: "Slash", key: "?" },
  { code: "Minus", key: "-" },
  { code: "F5", key: "F5" },
  { code: "KeyD", key: "d", ctrlKey: true },
])("leaves $code as it is", (press) => {
  expect(isFixed({ ...NONE, ...press })).toBe(true);
});
