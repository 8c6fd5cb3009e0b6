import { expect, it } from "vitest";

import { greyOf, localContrast, rangeOf, rgbaOf } from "../src/grey";
import { randomNumbers } from "./random";

const SIZE = { width: 160, height: 128 };

/** A dim film whose right half is brighter, each half with a faint texture of its own. */
function halves(): Uint8Array {
  const next = randomNumbers(3);
  return Uint8Array.from({ length: SIZE.width * SIZE.height }, (_, i) => (i % SIZE.width < SIZE.width / 2 ? 60 : 180) + next(8));
}

it("finds the range that a film uses, whatever black lies around it and however bright a marker is", () => {
  const grey = new Uint8Array(20_000);
  for (let i = 0; i < 10_000; i++) grey[i] = 50 + (i % 101);
  grey.fill(255, 0, 50);
  const { low, high } = rangeOf(grey);
  expect(low * 255).toBeGreaterThanOrEqual(50);
  expect(low * 255).toBeLessThanOrEqual(52);
  expect(high * 255).toBeGreaterThanOrEqual(148);
  expect(high * 255).toBeLessThanOrEqual(150);
});

it("shows all greys of a film that is black all over", () => {
  expect(rangeOf(new Uint8Array(9))).toEqual({ low: 0, high: 1 });
});

it("spreads the contrast of each place, and leaves the brighter place the brighter one", () => {
  const grey = halves();
  const result = localContrast(grey, SIZE);
  const spread = (pixels: Uint8Array, at: number): number => {
    const part = Array.from({ length: 400 }, (_, i) => pixels[(40 + Math.floor(i / 20)) * SIZE.width + at + (i % 20)]);
    return Math.max(...part) - Math.min(...part);
  };
  expect(spread(grey, 20)).toBeLessThan(8);
  expect(spread(result, 20)).toBeGreaterThan(2 * spread(grey, 20));
  expect(spread(result, 120)).toBeGreaterThan(2 * spread(grey, 120));
});

it("keeps the order of greys at one place, and clips what would turn noise into structure", () => {
  const grey = new Uint8Array(SIZE.width * SIZE.height).fill(100);
  grey[0] = 101;
  const result = localContrast(grey, SIZE);
  expect(result[0]).toBeGreaterThanOrEqual(result[1]);
  expect(result[0] - result[1]).toBeLessThan(5);
});

it("changes smoothly from tile to tile", () => {
  const grey = Uint8Array.from({ length: SIZE.width * SIZE.height }, (_, i) => Math.floor((255 * (i % SIZE.width)) / SIZE.width));
  const result = localContrast(grey, SIZE);
  const row = result.subarray(64 * SIZE.width, 65 * SIZE.width);
  for (let x = 1; x < SIZE.width; x++) expect(Math.abs(row[x] - row[x - 1])).toBeLessThan(16);
});

it("reads back the grey values that it wrote, and refuses pixels that a browser hides behind noise", () => {
  const grey = Uint8Array.from([0, 7, 255]);
  expect(greyOf(rgbaOf(grey))).toEqual(grey);
  expect(() => greyOf(Uint8ClampedArray.from([10, 200, 3, 255]))).toThrow("hides");
});
