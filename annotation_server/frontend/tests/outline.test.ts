import { describe, expect, it } from "vitest";

import { sweep } from "../src/brush";
import { type Mask, area, blank } from "../src/mask";
import { contours } from "../src/outline";

/** Twice the area inside a contour; positive where it runs with the mask on its right. */
function doubledArea(points: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < points.length; i += 2) {
    const [nx, ny] = [points[(i + 2) % points.length], points[(i + 3) % points.length]];
    sum += points[i] * ny - nx * points[i + 1];
  }
  return sum;
}

function draw(...discs: [number, number, number, (0 | 1)?][]): Mask {
  const mask = blank({ width: 100, height: 80 });
  for (const [x, y, radius, value = 1] of discs) sweep(mask, { x, y }, { x, y }, radius, value);
  return mask;
}

describe("contours", () => {
  it("surround a lone pixel by a diamond through the middles of its edges", () => {
    const mask = blank({ width: 3, height: 3 });
    mask.pixels[4] = 1;
    const [contour, ...others] = contours(mask);
    expect(others).toEqual([]);
    expect(contour.closed).toBe(true);
    const corners = Array.from({ length: 4 }, (_, i) => `${contour.points[2 * i]},${contour.points[2 * i + 1]}`);
    expect(corners.sort()).toEqual(["1,1.5", "1.5,1", "1.5,2", "2,1.5"]);
  });

  it("enclose nearly the area of the mask, holes taken off", () => {
    const mask = draw([50, 40, 30], [50, 40, 12, 0]);
    const found = contours(mask);
    expect(found.length).toBe(2);
    const enclosed = found.reduce((sum, { points }) => sum + doubledArea(points) / 2, 0);
    expect(Math.abs(Math.abs(enclosed) - area(mask)) / area(mask)).toBeLessThan(0.01);
    expect(Math.sign(doubledArea(found[0].points))).toBe(-Math.sign(doubledArea(found[1].points)));
  });

  it("keep pixels apart that touch at a corner", () => {
    const mask = blank({ width: 2, height: 2 });
    mask.pixels.set([1, 0, 0, 1]);
    expect(contours(mask).length).toBe(2);
  });

  it("close along the border of the film", () => {
    const mask = blank({ width: 4, height: 3 });
    mask.pixels.fill(1);
    const [contour] = contours(mask);
    expect(contour.closed).toBe(true);
    expect(Math.abs(doubledArea(contour.points)) / 2).toBeCloseTo(12 - 4 / 8, 5);
  });

  it("of tiles are the contours of the whole, cut", () => {
    const mask = draw([30, 30, 20], [70, 50, 15]);
    const length = (cells?: { x: number; y: number; width: number; height: number }): number =>
      contours(mask, cells).reduce((sum, { points, closed }) => sum + points.length / 2 - (closed ? 0 : 1), 0);
    let tiled = 0;
    for (let y = 0; y < 81; y += 27) for (let x = 0; x < 101; x += 25) {
      tiled += length({ x, y, width: Math.min(25, 101 - x), height: 27 });
    }
    expect(tiled).toBe(length());
  });
});
