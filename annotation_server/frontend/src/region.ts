/** Closed regions, as lasso and polygon draw them. */

import type { Point } from "./brush";
import type { Mask, Rect } from "./mask";

/**
 * Set (`value` 1) or clear (0) each pixel whose centre lies inside the closed line through `points`, in pixels of the
 * mask. Inside is where the line winds around (the non-zero rule): a loop that crosses itself leaves no hole. A centre
 * on the line is inside where the region lies to its right or below. Returns the rectangle that may have changed, null
 * if none. Takes time in proportion to that rectangle and to the line's length.
 */
export function fillRegion(mask: Mask, points: readonly Point[], value: 0 | 1): Rect | null {
  const top = firstCentre(Math.min(...ordinates(points)), mask.height);
  const bottom = firstCentre(Math.max(...ordinates(points)), mask.height);
  const rows = crossings(points, top, bottom);
  let [left, right] = [mask.width, 0];
  rows.forEach((row, i) => {
    const start = (top + i) * mask.width;
    row.sort((a, b) => a.x - b.x);
    let winding = 0;
    for (let k = 0; k + 1 < row.length; k++) {
      winding += row[k].turn;
      if (winding === 0) continue;
      const from = firstCentre(row[k].x, mask.width);
      const to = firstCentre(row[k + 1].x, mask.width);
      if (from >= to) continue;
      mask.pixels.fill(value, start + from, start + to);
      left = Math.min(left, from);
      right = Math.max(right, to);
    }
  });
  return left < right ? { x: left, y: top, width: right - left, height: bottom - top } : null;
}

interface Crossing {
  readonly x: number;
  /** 1 where the line goes down, -1 where it goes up. */
  readonly turn: number;
}

/** Where the closed line crosses the middle of each row from `top` to before `bottom`. */
function crossings(points: readonly Point[], top: number, bottom: number): Crossing[][] {
  const rows: Crossing[][] = Array.from({ length: Math.max(0, bottom - top) }, () => []);
  points.forEach((from, i) => {
    const to = points[(i + 1) % points.length];
    const [upper, lower] = from.y < to.y ? [from, to] : [to, from];
    const turn = from.y < to.y ? 1 : -1;
    const slope = (lower.x - upper.x) / (lower.y - upper.y);
    for (let y = firstCentre(upper.y, bottom, top); y < firstCentre(lower.y, bottom, top); y++) {
      rows[y - top].push({ x: upper.x + (y + 0.5 - upper.y) * slope, turn });
    }
  });
  return rows;
}

/** The first pixel whose centre does not lie before `at`, held between `least` and `end`. */
function firstCentre(at: number, end: number, least = 0): number {
  return Math.min(end, Math.max(least, Math.ceil(at - 0.5)));
}

function ordinates(points: readonly Point[]): number[] {
  return points.map(({ y }) => y);
}
