import { expect, it } from "vitest";

import { sweep } from "../src/brush";
import { DEPTH, History } from "../src/history";
import { blank, equal } from "../src/mask";
import { randomNumbers } from "./random";

function start() {
  const mask = blank({ width: 64, height: 48 });
  const history = new History(mask);
  const random = randomNumbers(1);
  const stroke = (value: 0 | 1): boolean => {
    for (let i = 0; i < 3; i++) {
      const [from, to] = [{ x: random(64), y: random(48) }, { x: random(64), y: random(48) }];
      history.touch(sweep(mask, from, to, 1 + random(5), value));
    }
    return history.commit();
  };
  return { mask, history, stroke };
}

it("undoes and redoes a hundred strokes to the pixel", () => {
  const { mask, history, stroke } = start();
  const states = [{ ...mask, pixels: mask.pixels.slice() }];
  while (states.length <= 100) if (stroke(states.length % 3 === 0 ? 0 : 1)) states.push({ ...mask, pixels: mask.pixels.slice() });
  for (let i = 99; i >= 0; i--) {
    expect(history.undo()).not.toBeNull();
    expect(equal(mask, states[i])).toBe(true);
  }
  expect(history.canUndo).toBe(false);
  expect(history.undo()).toBeNull();
  for (let i = 1; i <= 100; i++) {
    history.redo();
    expect(equal(mask, states[i])).toBe(true);
  }
  expect(history.canRedo).toBe(false);
});

it("takes a stroke that turns nothing over for no step", () => {
  const { history, stroke } = start();
  expect(stroke(0)).toBe(false);
  expect(history.canUndo).toBe(false);
});

it("forgets what was undone once a new stroke is made", () => {
  const { history, stroke } = start();
  stroke(1);
  history.undo();
  expect(history.canRedo).toBe(true);
  stroke(1);
  expect(history.canRedo).toBe(false);
});

it("keeps the newest steps when there are too many", () => {
  const { mask, history } = start();
  for (let i = 0; i < DEPTH + 20; i++) {
    mask.pixels[i] = 1;
    history.touch({ x: 0, y: 0, width: 64, height: 48 });
    history.commit();
  }
  let n = 0;
  while (history.undo()) n++;
  expect(n).toBe(DEPTH);
  expect(mask.pixels[19]).toBe(1);
  expect(mask.pixels[20]).toBe(0);
});
