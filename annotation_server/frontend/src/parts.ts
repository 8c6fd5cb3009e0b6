/**
 * The parts of a mask, and the holes in it. As in its outline, pixels that touch at a corner only are apart, and so the
 * ground around them hangs together there.
 */

import type { Mask, Rect } from "./mask";

/** Fills what the mask encloses. Returns the rectangle that changed, null if there is no hole. */
export function fillHoles(mask: Mask): Rect | null {
  const ground = findParts(mask, 0);
  return paintParts(mask, ground, (part) => !ground.atBorder[part], 1);
}

/**
 * Clears every part of fewer than `area` pixels, save the largest part of all. Returns the rectangle that changed, null
 * if there is no such part.
 */
export function removeSpecks(mask: Mask, area: number): Rect | null {
  const parts = findParts(mask, 1);
  let largest = -1;
  parts.areas.forEach((n, part) => {
    if (n > (parts.areas[largest] ?? 0)) largest = part;
  });
  return paintParts(mask, parts, (part) => part !== largest && parts.areas[part] < area, 0);
}

/** Runs of equal pixels, row by row, and the parts that they form. */
interface Parts {
  readonly n: number;
  readonly rows: Int32Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** For each run its part: the number of that part's first run. */
  readonly partOf: Int32Array;
  /** By part; 0 for a number that names none. */
  readonly areas: Int32Array;
  readonly atBorder: Uint8Array;
}

/** The connected parts of the pixels of `value`: set ones by their sides, the ground by its corners too. */
function findParts(mask: Mask, value: 0 | 1): Parts {
  const { width, height } = mask;
  const runs = findRuns(mask, value);
  const { n, rows, starts, ends } = runs;
  const partOf = Int32Array.from({ length: n }, (_, run) => run);
  const find = (run: number): number => {
    while (partOf[run] !== run) run = partOf[run] = partOf[partOf[run]];
    return run;
  };
  const reach = value === 0 ? 1 : 0;
  let above = 0;
  for (let run = 0; run < n; run++) {
    const row = rows[run];
    while (rows[above] < row - 1 || (rows[above] === row - 1 && ends[above] + reach <= starts[run])) above++;
    // The last one that touches may touch the next run of this row too: `above` stays before it.
    for (let other = above; rows[other] === row - 1 && starts[other] < ends[run] + reach; other++) {
      const [a, b] = [find(other), find(run)];
      if (a < b) partOf[b] = a;
      else partOf[a] = b;
    }
  }
  const areas = new Int32Array(n);
  const atBorder = new Uint8Array(n);
  for (let run = 0; run < n; run++) {
    const part = (partOf[run] = find(run));
    areas[part] += ends[run] - starts[run];
    if (rows[run] === 0 || rows[run] === height - 1 || starts[run] === 0 || ends[run] === width) atBorder[part] = 1;
  }
  return { ...runs, partOf, areas, atBorder };
}

function findRuns({ width, height, pixels }: Mask, value: 0 | 1): Pick<Parts, "n" | "rows" | "starts" | "ends"> {
  let [rows, starts, ends] = [new Int32Array(1024), new Int32Array(1024), new Int32Array(1024)];
  let n = 0;
  for (let y = 0; y < height; y++) {
    const origin = y * width;
    for (let x = 0; x < width; ) {
      while (x < width && pixels[origin + x] !== value) x++;
      if (x === width) break;
      if (n === rows.length) [rows, starts, ends] = [doubled(rows), doubled(starts), doubled(ends)];
      rows[n] = y;
      starts[n] = x;
      while (x < width && pixels[origin + x] === value) x++;
      ends[n++] = x;
    }
  }
  return { n, rows, starts, ends };
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * array.length);
  larger.set(array);
  return larger;
}

function paintParts(mask: Mask, parts: Parts, chosen: (part: number) => boolean, value: 0 | 1): Rect | null {
  let [left, top, right, bottom] = [mask.width, mask.height, 0, 0];
  for (let run = 0; run < parts.n; run++) {
    if (!chosen(parts.partOf[run])) continue;
    const [y, from, to] = [parts.rows[run], parts.starts[run], parts.ends[run]];
    mask.pixels.fill(value, y * mask.width + from, y * mask.width + to);
    left = Math.min(left, from);
    right = Math.max(right, to);
    top = Math.min(top, y);
    bottom = y + 1;
  }
  return left < right ? { x: left, y: top, width: right - left, height: bottom - top } : null;
}
