import { describe, expect, it } from "vitest";

import { type Point, sweep } from "../src/brush";
import { Hand, type Press, type Sheet, type Tool } from "../src/hand";
import { History } from "../src/history";
import { type Mask, area, blank, equal } from "../src/mask";
import { fillRegion } from "../src/region";

const SIZE = { width: 40, height: 30 };
const SQUARE = [[5, 5], [25, 5], [25, 25], [5, 25]].map(([x, y]) => ({ x, y })); // prettier-ignore

function start(tool: Tool, mask = blank(SIZE)) {
  const history = new History(mask);
  const sheet: Sheet = { size: mask, change: (edit) => history.touch(edit(mask)), commit: () => history.commit() };
  const hand = new Hand(sheet, 6);
  hand.take(tool);
  let timeMs = 0;
  const press = (at: Point, more: Partial<Press> = {}): boolean => {
    timeMs += 1000;
    const changed = hand.begin(at, { erase: false, scale: 1, timeMs, ...more });
    return hand.end() || changed;
  };
  return { mask, hand, history, press };
}

function square(value: 0 | 1 = 1, mask: Mask = blank(SIZE)): Mask {
  fillRegion(mask, SQUARE, value);
  return mask;
}

function full(): Mask {
  return { ...SIZE, pixels: new Uint8Array(SIZE.width * SIZE.height).fill(1) };
}

it("the brush paints what it sweeps, as one step", () => {
  const { mask, hand, history } = start("brush");
  hand.begin({ x: 5, y: 5 }, { erase: false, scale: 1, timeMs: 0 });
  hand.move([{ x: 20, y: 9 }, { x: 22, y: 20 }]); // prettier-ignore
  expect(hand.end()).toBe(true);
  const expected = blank(SIZE);
  sweep(expected, { x: 5, y: 5 }, { x: 20, y: 9 }, 3, 1);
  sweep(expected, { x: 20, y: 9 }, { x: 22, y: 20 }, 3, 1);
  expect(equal(mask, expected)).toBe(true);
  history.undo();
  expect(area(mask)).toBe(0);
});

describe("the lasso", () => {
  it.each([
    ["fills", false, false, blank(SIZE), square(1)],
    ["cuts out with Ctrl held", true, false, full(), square(0, full())],
    ["cuts out in eraser mode", false, true, full(), square(0, full())],
  ])("%s what it encloses", (_, erase, erasing, before, after) => {
    const { mask, hand, history } = start("lasso", before);
    hand.erasing = erasing;
    hand.begin(SQUARE[0], { erase, scale: 1, timeMs: 0 });
    hand.move(SQUARE.slice(1));
    expect(history.canUndo).toBe(false);
    expect(hand.end()).toBe(true);
    expect(equal(mask, after)).toBe(true);
    expect(hand.isOpen).toBe(false);
  });

  it("that is given up changes nothing, whatever the pointer does next", () => {
    const { mask, hand } = start("lasso");
    hand.begin(SQUARE[0], { erase: false, scale: 1, timeMs: 0 });
    hand.move(SQUARE.slice(1));
    expect(hand.cancel()).toBe(true);
    hand.move([{ x: 30, y: 2 }]);
    expect(hand.end()).toBe(false);
    expect(area(mask)).toBe(0);
  });

  it("of a mere click changes nothing", () => {
    const { press, hand } = start("lasso");
    expect(press({ x: 5, y: 5 })).toBe(false);
    expect(hand.isOpen).toBe(false);
  });
});

describe("the polygon", () => {
  it("closes by Enter", () => {
    const { mask, hand, press } = start("polygon");
    for (const corner of SQUARE) expect(press(corner)).toBe(false);
    expect(hand.close()).toBe(true);
    expect(equal(mask, square())).toBe(true);
  });

  it("closes by a double click, whose second click is no corner", () => {
    const { mask, hand, press } = start("polygon");
    for (const corner of SQUARE) press(corner);
    const timeMs = 4200;
    expect(hand.begin({ x: 6, y: 26 }, { erase: false, scale: 1, timeMs })).toBe(true);
    expect(equal(mask, square())).toBe(true);
  });

  it("closes by a click on its first corner, however far the film is zoomed in", () => {
    const { mask, press } = start("polygon");
    for (const corner of SQUARE) press(corner, { scale: 10 });
    expect(press({ x: 7, y: 5 }, { scale: 10 })).toBe(false);
    expect(press({ x: 5.5, y: 5.5 }, { scale: 10 })).toBe(true);
    expect(area(mask)).toBeGreaterThan(0);
  });

  it("takes two quick clicks far apart for two corners", () => {
    const { hand } = start("polygon");
    hand.begin({ x: 5, y: 5 }, { erase: false, scale: 1, timeMs: 0 });
    hand.begin({ x: 25, y: 5 }, { erase: false, scale: 1, timeMs: 100 });
    expect(hand.line).toHaveLength(2);
  });

  it("takes corners back one by one, and none once they are gone", () => {
    const { hand, press } = start("polygon");
    for (const corner of SQUARE.slice(0, 2)) press(corner);
    expect([hand.back(), hand.back(), hand.back()]).toEqual([true, true, false]);
    expect(hand.isOpen).toBe(false);
  });

  it("of two corners changes nothing", () => {
    const { mask, hand, press } = start("polygon");
    for (const corner of SQUARE.slice(0, 2)) press(corner);
    expect(hand.close()).toBe(false);
    expect(area(mask)).toBe(0);
  });

  it("cuts out if Ctrl is held at its last corner", () => {
    const { mask, hand, press } = start("polygon", full());
    SQUARE.forEach((corner, i) => press(corner, { erase: i === 3 }));
    hand.close();
    expect(equal(mask, square(0, full()))).toBe(true);
  });

  it("is given up when another tool is taken, which paints", () => {
    const { hand, press } = start("polygon");
    hand.erasing = true;
    press(SQUARE[0]);
    hand.take("brush");
    expect([hand.isOpen, hand.erasing]).toEqual([false, false]);
  });
});

it("the brush grows and shrinks by at least a pixel, from one pixel to a quarter of the film", () => {
  const { hand } = start("brush");
  hand.resize(1);
  hand.step(1);
  expect(hand.size).toBe(2);
  for (let i = 0; i < 40; i++) hand.step(1);
  expect(hand.size).toBe(10);
  for (let i = 0; i < 40; i++) hand.step(-1);
  expect(hand.size).toBe(1);
});
