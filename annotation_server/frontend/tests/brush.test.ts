import { expect, it } from "vitest";

import { sweep } from "../src/brush";
import { area, blank } from "../src/mask";

const SIZE = { width: 40, height: 30 };

it("paints the exact disc: every pixel whose centre lies within the radius, and no other", () => {
  const mask = blank(SIZE);
  sweep(mask, { x: 20.25, y: 14.5 }, { x: 20.25, y: 14.5 }, 6.5, 1);
  for (let y = 0; y < SIZE.height; y++) {
    for (let x = 0; x < SIZE.width; x++) {
      const inside = (x + 0.5 - 20.25) ** 2 + (y + 0.5 - 14.5) ** 2 <= 6.5 ** 2;
      expect(mask.pixels[y * SIZE.width + x]).toBe(inside ? 1 : 0);
    }
  }
});

it("paints every disc between two points, and no more than a capsule", () => {
  const [from, to, radius] = [{ x: 8, y: 7 }, { x: 30, y: 21 }, 4];
  const capsule = blank(SIZE);
  sweep(capsule, from, to, radius, 1);
  const discs = blank(SIZE);
  const n = 4000;
  for (let i = 0; i <= n; i++) {
    const at = { x: from.x + (22 * i) / n, y: from.y + (14 * i) / n };
    sweep(discs, at, at, radius, 1);
  }
  expect(capsule.pixels).toEqual(discs.pixels);
});

it("erases with the same shape", () => {
  const mask = blank(SIZE);
  mask.pixels.fill(1);
  const drawn = blank(SIZE);
  sweep(mask, { x: 5, y: 5 }, { x: 20, y: 9 }, 3, 0);
  sweep(drawn, { x: 5, y: 5 }, { x: 20, y: 9 }, 3, 1);
  expect(area(mask)).toBe(SIZE.width * SIZE.height - area(drawn));
});

it("stays inside the film, and says when it missed it", () => {
  const mask = blank(SIZE);
  expect(sweep(mask, { x: -2, y: -2 }, { x: 45, y: 33 }, 3, 1)).toEqual({ x: 0, y: 0, ...SIZE });
  expect(sweep(mask, { x: -20, y: 5 }, { x: -20, y: 9 }, 3, 1)).toBeNull();
});

it("names a rectangle that holds every change", () => {
  const mask = blank(SIZE);
  const rect = sweep(mask, { x: 10.3, y: 12.7 }, { x: 15.1, y: 12.2 }, 2.6, 1);
  const painted = area(mask);
  let within = 0;
  for (let y = rect!.y; y < rect!.y + rect!.height; y++) {
    for (let x = rect!.x; x < rect!.x + rect!.width; x++) within += mask.pixels[y * SIZE.width + x];
  }
  expect(within).toBe(painted);
});
