import { describe, expect, it } from "vitest";

import { type Mask, area, blank, equal } from "../src/mask";
import { fillHoles, removeSpecks } from "../src/parts";
import { parse } from "./mask.test";
import { randomNumbers } from "./random";

const SIDES = [[1, 0], [-1, 0], [0, 1], [0, -1]] as const; // prettier-ignore
const CORNERS = [[1, 1], [1, -1], [-1, 1], [-1, -1]] as const; // prettier-ignore

/** Every part of the pixels of `value`, by spreading from pixel to pixel. */
function spread({ width, height, pixels }: Mask, value: 0 | 1): number[][] {
  const left = new Set([...pixels.keys()].filter((i) => pixels[i] === value));
  const parts: number[][] = [];
  for (const first of left) {
    const part = [first];
    left.delete(first);
    for (const i of part) {
      for (const [dx, dy] of value === 0 ? [...SIDES, ...CORNERS] : SIDES) {
        const [x, y] = [(i % width) + dx, Math.floor(i / width) + dy];
        if (x >= 0 && y >= 0 && x < width && y < height && left.delete(y * width + x)) part.push(y * width + x);
      }
    }
    parts.push(part);
  }
  return parts;
}

function noise(random: (below: number) => number, dense: number): Mask {
  const mask = blank({ width: 1 + random(24), height: 1 + random(24) });
  mask.pixels.forEach((_, i) => (mask.pixels[i] = random(100) < dense ? 1 : 0));
  return mask;
}

describe("holes", () => {
  it("are what no way along sides and corners joins to the border", () => {
    const random = randomNumbers(11);
    for (let n = 0; n < 400; n++) {
      const mask = noise(random, 30 + random(60));
      const { width, height } = mask;
      const expected = { ...mask, pixels: mask.pixels.slice() };
      const isAtBorder = (i: number): boolean =>
        i % width === 0 || i % width === width - 1 || i < width || i >= width * (height - 1);
      for (const part of spread(mask, 0)) if (!part.some(isAtBorder)) part.forEach((i) => (expected.pixels[i] = 1));
      const changed = fillHoles(mask);
      expect(equal(mask, expected)).toBe(true);
      if (changed === null) expect(fillHoles(expected)).toBeNull();
    }
  });

  it("are reported by the rectangle that they fill", () => {
    const mask = parse("......", ".####.", ".#..#.", ".####.", "......");
    expect(fillHoles(mask)).toEqual({ x: 2, y: 2, width: 2, height: 1 });
    expect(fillHoles(mask)).toBeNull();
  });

  it("that open at a corner are none", () => {
    expect(fillHoles(parse(".#.", "#.#", ".#."))).toBeNull();
  });
});

describe("specks", () => {
  it("are the parts below an area; the largest part stays", () => {
    const random = randomNumbers(5);
    for (let n = 0; n < 400; n++) {
      const mask = noise(random, 20 + random(60));
      const below = random(12);
      const parts = spread(mask, 1);
      const largest = Math.max(0, ...parts.map((part) => part.length));
      const expected = { ...mask, pixels: mask.pixels.slice() };
      let kept = false;
      for (const part of parts) {
        const stays = part.length >= below || (part.length === largest && !kept);
        if (part.length === largest) kept = true;
        if (!stays) part.forEach((i) => (expected.pixels[i] = 0));
      }
      removeSpecks(mask, below);
      expect(equal(mask, expected)).toBe(true);
    }
  });

  it("of an empty mask are none", () => {
    expect(removeSpecks(blank({ width: 5, height: 5 }), 9)).toBeNull();
  });

  it("are told apart where they touch at a corner", () => {
    const mask = parse("##.", "##.", "..#");
    expect(removeSpecks(mask, 2)).toEqual({ x: 2, y: 2, width: 1, height: 1 });
    expect(area(mask)).toBe(4);
  });
});
