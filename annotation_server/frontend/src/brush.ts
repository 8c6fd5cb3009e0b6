/** The brush: exact discs, and the capsules that a disc sweeps between two points. */

import type { Mask, Rect } from "./mask";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * Set (`value` 1) or clear (0) each pixel whose centre lies within `radius` of the segment from `from` to `to`, all in
 * pixels of the mask, pixel (0, 0) covering [0, 1) x [0, 1). Returns the rectangle that may have changed, null if none.
 */
export function sweep(mask: Mask, from: Point, to: Point, radius: number, value: 0 | 1): Rect | null {
  const left = Math.max(0, Math.floor(Math.min(from.x, to.x) - radius));
  const top = Math.max(0, Math.floor(Math.min(from.y, to.y) - radius));
  const right = Math.min(mask.width, Math.ceil(Math.max(from.x, to.x) + radius));
  const bottom = Math.min(mask.height, Math.ceil(Math.max(from.y, to.y) + radius));
  if (left >= right || top >= bottom) return null;
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  const lengthSquared = dx * dx + dy * dy;
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const px = x + 0.5 - from.x;
      const py = y + 0.5 - from.y;
      const along = lengthSquared === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / lengthSquared));
      const ex = px - along * dx;
      const ey = py - along * dy;
      if (ex * ex + ey * ey <= radius * radius) mask.pixels[y * mask.width + x] = value;
    }
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}
