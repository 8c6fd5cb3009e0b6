import { describe, expect, it } from "vitest";

import type { Point } from "../src/brush";
import { type Mask, area, blank, equal } from "../src/mask";
import { fillRegion } from "../src/region";
import { randomNumbers } from "./random";

function polygon(...coordinates: (readonly [number, number])[]): Point[] {
  return coordinates.map(([x, y]) => ({ x, y }));
}

/** How often the closed line winds around a point: turns of the crossings to its left, straight from the definition. */
function winding(points: readonly Point[], at: Point): number {
  let turns = 0;
  points.forEach((a, i) => {
    const b = points[(i + 1) % points.length];
    if (a.y <= at.y === b.y <= at.y) return;
    const [upper, lower] = a.y < b.y ? [a, b] : [b, a];
    const x = upper.x + (at.y - upper.y) * ((lower.x - upper.x) / (lower.y - upper.y));
    if (x <= at.x) turns += a.y < b.y ? 1 : -1;
  });
  return turns;
}

function expected(start: Mask, points: readonly Point[], value: 0 | 1): Mask {
  const pixels = start.pixels.map((pixel, i) => {
    const centre = { x: (i % start.width) + 0.5, y: Math.floor(i / start.width) + 0.5 };
    return winding(points, centre) === 0 ? pixel : value;
  });
  return { ...start, pixels };
}

describe("a region", () => {
  it("holds the pixels whose centres its line winds around, whatever the line", () => {
    const random = randomNumbers(3);
    for (let n = 0; n < 300; n++) {
      const mask = blank({ width: 37, height: 29 });
      mask.pixels.forEach((_, i) => (mask.pixels[i] = random(2)));
      // Also outside of the mask, and often on centres and corners of pixels.
      const points = Array.from({ length: 1 + random(9) }, () => ({ x: random(100) / 2 - 6, y: random(80) / 2 - 5 }));
      const value = n % 2 === 0 ? 1 : 0;
      const after = expected(mask, points, value);
      const before = mask.pixels.slice();
      const rect = fillRegion(mask, points, value);
      expect(equal(mask, after)).toBe(true);
      mask.pixels.forEach((pixel, i) => {
        if (pixel === before[i]) return;
        const [x, y] = [i % mask.width, Math.floor(i / mask.width)];
        expect(rect && x >= rect.x && y >= rect.y && x < rect.x + rect.width && y < rect.y + rect.height).toBe(true);
      });
    }
  });

  it("has no hole where its line crosses itself", () => {
    const mask = blank({ width: 20, height: 20 });
    // A square that is walked round twice, the second time smaller.
    fillRegion(mask, polygon([0, 0], [20, 0], [20, 20], [0, 20], [0, 0], [5, 5], [15, 5], [15, 15], [5, 15], [5, 5]), 1);
    expect(area(mask)).toBe(400);
  });

  it("shares no pixel with its neighbour, and leaves none out", () => {
    const [left, right] = [blank({ width: 9, height: 9 }), blank({ width: 9, height: 9 })];
    fillRegion(left, polygon([0, 0], [4.5, 0], [2.5, 9], [0, 9]), 1);
    fillRegion(right, polygon([4.5, 0], [9, 0], [9, 9], [2.5, 9]), 1);
    expect(left.pixels.map((pixel, i) => pixel + right.pixels[i]).every((n) => n === 1)).toBe(true);
  });

  it("of a point, a line or nothing within the film is empty", () => {
    const mask = blank({ width: 9, height: 9 });
    for (const points of [[], polygon([4, 4]), polygon([1, 1], [7, 8]), polygon([20, 1], [30, 1], [30, 8])]) {
      expect(fillRegion(mask, points, 1)).toBeNull();
    }
    expect(area(mask)).toBe(0);
  });
});
