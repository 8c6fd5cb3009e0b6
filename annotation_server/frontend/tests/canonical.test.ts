import { expect, it } from "vitest";

import { canonicalMask } from "../src/canonical";
import { area, blank, pack } from "../src/mask";
import vectors from "./canonical.json";

it.each(vectors)("a drawing counts as it does on the server: $name", async ({ width, height, discs, grid, ...expected }) => {
  const drawing = blank({ width, height });
  for (const [centreX, centreY, radius] of discs) {
    for (let i = 0; i < drawing.pixels.length; i++) {
      const [dx, dy] = [(i % width) - centreX, Math.floor(i / width) - centreY];
      if (dx * dx + dy * dy <= radius * radius) drawing.pixels[i] = 1;
    }
  }
  const mask = canonicalMask(drawing, { width: grid[1], height: grid[0] });
  expect(area(mask)).toBe(expected.area);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", pack(mask.pixels)));
  expect(Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")).toBe(expected.sha256);
});
