/**
 * What a drawing will count as: `db.domain.mask.canonical_grid_mask` in the browser, bit for bit. The sums run in the
 * same order and are rounded to 32 bits at the same places.
 */

import type { Mask, Size } from "./mask";

/** Of `scipy.ndimage.gaussian_filter` with a standard deviation of 1, from the middle outwards. */
const WEIGHTS = [
  0.39894346935609776, 0.24197144565660073, 0.05399112742070441, 0.0044318616200312655, 0.00013383062461474175,
] as const; // prettier-ignore
const THRESHOLD = 0.5;

interface Field extends Size {
  readonly values: Uint8Array | Float32Array;
}

/** The canonical mask of a drawing, at the size of the canonical grid. */
export function canonicalMask({ width, height, pixels }: Mask, grid: Size): Mask {
  const rows = resampleRows({ width, height, values: pixels }, grid.height);
  const field = transpose(resampleRows(transpose(rows), grid.width));
  const { values } = transpose(smoothRows(transpose(smoothRows(field))));
  return { ...grid, pixels: Uint8Array.from(values, (value) => (value >= THRESHOLD ? 1 : 0)) };
}

/** `field` with `height` rows: area average when they become fewer, linear interpolation when they become more. */
function resampleRows(field: Field, height: number): Field {
  if (height === field.height) return field;
  return height < field.height ? averageRows(field, height) : interpolateRows(field, height);
}

/** Mean over equal intervals, as differences of the running integral. */
function averageRows({ width, height: old, values }: Field, height: number): Field {
  const result = new Float32Array(width * height);
  const integral = new Float64Array(width);
  let [atEdge, atNext] = [new Float64Array(width), new Float64Array(width)];
  const [step, scale] = [old / height, height / old];
  let summed = 0;
  for (let y = 0; y < height; y++) {
    const edge = y + 1 === height ? old : (y + 1) * step;
    const whole = Math.min(Math.floor(edge), old - 1);
    for (; summed < whole; summed++) {
      const row = summed * width;
      for (let x = 0; x < width; x++) integral[x] += values[row + x];
    }
    const [row, part] = [whole * width, edge - whole];
    for (let x = 0; x < width; x++) {
      atNext[x] = integral[x] + part * values[row + x];
      result[y * width + x] = (atNext[x] - atEdge[x]) * scale;
    }
    [atEdge, atNext] = [atNext, atEdge];
  }
  return { width, height, values: result };
}

/** Linear between the centres of rows; the outermost half row repeats its neighbour. */
function interpolateRows({ width, height: old, values }: Field, height: number): Field {
  const result = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const centre = Math.min(Math.max((y + 0.5) * (old / height) - 0.5, 0), old - 1);
    const below = Math.min(Math.floor(centre), Math.max(old - 2, 0));
    const above = Math.min(below + 1, old - 1);
    const weight = Math.fround(centre - below);
    const rest = Math.fround(1 - weight);
    for (let x = 0; x < width; x++) {
      result[y * width + x] =
        Math.fround(values[below * width + x] * rest) + Math.fround(values[above * width + x] * weight);
    }
  }
  return { width, height, values: result };
}

/** A Gaussian down the columns; beyond the border its pixels are repeated. */
function smoothRows({ width, height, values }: Field): Field {
  const smooth = new Float32Array(values.length);
  const row = (y: number): number => Math.min(Math.max(y, 0), height - 1) * width;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = values[row(y) + x] * WEIGHTS[0];
      for (let k = WEIGHTS.length - 1; k > 0; k--) sum += (values[row(y - k) + x] + values[row(y + k) + x]) * WEIGHTS[k];
      smooth[y * width + x] = sum;
    }
  }
  return { width, height, values: smooth };
}

function transpose({ width, height, values }: Field): Field {
  const turned = new Float32Array(values.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) turned[x * height + y] = values[y * width + x];
  return { width: height, height: width, values: turned };
}
