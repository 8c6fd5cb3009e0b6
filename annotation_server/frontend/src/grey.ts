/** Grey values of a film: the range that it uses, and local contrast. Without a browser, so that a worker or a test can run it. */

import type { Size } from "./mask";

const LEVELS = 256;
/** The share of pixels that may lie beyond each end of the automatic window. */
const TAIL = 0.01;
/** Local contrast looks at this many tiles along each side of the film ... */
const TILES = 8;
/** ... and lets no grey value have more than this multiple of its even share, so that noise stays noise. */
const CLIP = 2.5;
/** Some browsers add this little to what a page reads; those that add more hide the picture. */
const READ_NOISE = 8;

/** Grey values from 0 to 1. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** The grey values of RGBA pixels; an error if they are no grey picture, as where a browser hides what a page reads. */
export function greyOf(rgba: Uint8ClampedArray): Uint8Array {
  const grey = new Uint8Array(rgba.length / 4);
  for (let i = 0, at = 0; i < grey.length; i++, at += 4) {
    grey[i] = rgba[at];
    if (Math.abs(rgba[at] - rgba[at + 1]) > READ_NOISE) throw new Error("This browser hides the film's pixels.");
  }
  return grey;
}

/** RGBA pixels of grey values. */
export function rgbaOf(grey: Uint8Array): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray(4 * grey.length);
  for (let i = 0, at = 0; i < grey.length; i++, at += 4) {
    rgba[at] = rgba[at + 1] = rgba[at + 2] = grey[i];
    rgba[at + 3] = 255;
  }
  return rgba;
}

/** From the 1st to the 99th percentile; pure black, which fills a film up to its frame, does not count. */
export function rangeOf(grey: Uint8Array): Range {
  const counts = new Uint32Array(LEVELS);
  for (let i = 0; i < grey.length; i++) counts[grey[i]]++; // six times as fast as for-of
  const n = grey.length - counts[0];
  if (n === 0) return { low: 0, high: 1 };
  counts[0] = 0;
  const percentile = (share: number): number => {
    let value = 0;
    for (let below = counts[0]; below <= share * (n - 1) && value < LEVELS - 1; below += counts[value]) value++;
    return value / (LEVELS - 1);
  };
  return { low: percentile(TAIL), high: percentile(1 - TAIL) };
}

/**
 * The film with its contrast spread tile by tile, smoothly between them.
 * Source: Zuiderveld, Contrast Limited Adaptive Histogram Equalization, Graphics Gems IV (1994).
 */
export function localContrast(grey: Uint8Array, { width, height }: Size): Uint8Array {
  const curves = Array.from({ length: TILES * TILES }, (_, i) => {
    const [row, column] = [Math.floor(i / TILES), i % TILES];
    return curve(histogram(grey, width, bounds(column, width), bounds(row, height)));
  });
  const columns = Array.from({ length: width }, (_, x) => between(x, width));
  const result = new Uint8Array(grey.length);
  for (let y = 0; y < height; y++) {
    const { before: top, after: bottom, share: down } = between(y, height);
    for (let x = 0; x < width; x++) {
      const { before, after, share } = columns[x];
      const value = grey[y * width + x];
      const upper = mix(curves[top * TILES + before][value], curves[top * TILES + after][value], share);
      const lower = mix(curves[bottom * TILES + before][value], curves[bottom * TILES + after][value], share);
      result[y * width + x] = Math.round(mix(upper, lower, down));
    }
  }
  return result;
}

/** The first pixel of a tile, and the first beyond it. */
function bounds(tile: number, length: number): readonly [number, number] {
  return [Math.floor((tile * length) / TILES), Math.floor(((tile + 1) * length) / TILES)];
}

/** The tiles whose middles a pixel lies between, and how far it is on its way to the second. */
function between(at: number, length: number): { before: number; after: number; share: number } {
  const place = Math.min(TILES - 1, Math.max(0, ((at + 0.5) * TILES) / length - 0.5));
  const before = Math.floor(place);
  return { before, after: Math.min(TILES - 1, before + 1), share: place - before };
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}

function histogram(
  grey: Uint8Array,
  stride: number,
  [left, right]: readonly [number, number],
  [top, bottom]: readonly [number, number],
): Uint32Array {
  const counts = new Uint32Array(LEVELS);
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) counts[grey[y * stride + x]]++;
  return counts;
}

/** What becomes of each grey value of a tile. What is clipped goes to all values evenly. */
function curve(counts: Uint32Array): Float32Array {
  const n = counts.reduce((sum, count) => sum + count, 0);
  const most = (CLIP * n) / LEVELS;
  const excess = counts.reduce((sum, count) => sum + Math.max(0, count - most), 0);
  const result = new Float32Array(LEVELS);
  for (let value = 0, sum = 0; value < LEVELS; value++) {
    const share = Math.min(counts[value], most) + excess / LEVELS;
    result[value] = n > 0 ? ((LEVELS - 1) * (sum + share / 2)) / n : value;
    sum += share;
  }
  return result;
}
