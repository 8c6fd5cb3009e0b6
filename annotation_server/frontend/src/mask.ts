/**
 * Masks in the browser: one byte a pixel, 0 or 1, row by row. They are rasterised here and never read back from a
 * canvas, because browsers add noise to what is read back.
 *
 * On the wire a mask is the bits of `db.domain.mask.pack`: most significant first, padded to whole bytes.
 */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Mask extends Size {
  readonly pixels: Uint8Array;
}

/** Pixels [x, x + width) x [y, y + height). */
export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

/** The smallest rectangle around two. */
export function union(a: Rect | null, b: Rect): Rect {
  if (!a) return b;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  const right = Math.max(a.x + a.width, b.x + b.width);
  const bottom = Math.max(a.y + a.height, b.y + b.height);
  return { x, y, width: right - x, height: bottom - y };
}

export function widened({ x, y, width, height }: Rect, by: number): Rect {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

export function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

export function blank({ width, height }: Size): Mask {
  return { width, height, pixels: new Uint8Array(width * height) };
}

export function packedLength({ width, height }: Size): number {
  return (width * height + 7) >> 3;
}

export function pack(pixels: Uint8Array): Uint8Array<ArrayBuffer> {
  const bits = new Uint8Array((pixels.length + 7) >> 3);
  for (let i = 0; i < pixels.length; i++) bits[i >> 3] |= pixels[i] << (7 - (i & 7));
  return bits;
}

/** The inverse of `pack`; a RangeError if `bits` are not those of a mask of this size. */
export function unpack(bits: Uint8Array, size: Size): Mask {
  const expected = packedLength(size);
  if (bits.length !== expected) {
    throw new RangeError(`A ${size.width}x${size.height} mask takes ${expected} bytes, ${bits.length} were received.`);
  }
  const mask = blank(size);
  for (let i = 0; i < mask.pixels.length; i++) mask.pixels[i] = (bits[i >> 3] >> (7 - (i & 7))) & 1;
  return mask;
}

/** The masks of a bundle: `n` packed masks of one size, one after the other, in slot order. */
export function unpackBundle(bundle: Uint8Array, n: number, size: Size): Mask[] {
  const length = packedLength(size);
  if (bundle.length !== n * length) {
    throw new RangeError(`${n} masks take ${n * length} bytes, ${bundle.length} were received.`);
  }
  return Array.from({ length: n }, (_, slot) => unpack(bundle.subarray(slot * length, (slot + 1) * length), size));
}

export function area(mask: Mask): number {
  let n = 0;
  for (const pixel of mask.pixels) n += pixel;
  return n;
}

export function isEmpty(mask: Mask): boolean {
  return !mask.pixels.includes(1);
}

/** The smallest rectangle around what is set, null if nothing is. */
export function extent({ width, pixels }: Mask): Rect | null {
  const first = pixels.indexOf(1);
  if (first < 0) return null;
  const y = Math.floor(first / width);
  const bottom = Math.floor(pixels.lastIndexOf(1) / width) + 1;
  let [left, right] = [width, 0];
  for (let row = y; row < bottom; row++) {
    const start = row * width;
    for (let x = 0; x < left; x++) if (pixels[start + x]) left = x;
    for (let x = width; x > right; x--) if (pixels[start + x - 1]) right = x;
  }
  return { x: left, y, width: right - left, height: bottom - y };
}

export function equal(a: Mask, b: Mask): boolean {
  if (a.pixels.length !== b.pixels.length) return false;
  for (let i = 0; i < a.pixels.length; i++) if (a.pixels[i] !== b.pixels[i]) return false;
  return true;
}

/**
 * A mask at a larger size: linear between pixel centres, set where the result reaches one half. The same rule as
 * `db.domain.mask.resample`, so that a touch-up starts from what the reader saw.
 */
export function enlarge(mask: Mask, size: Size): Mask {
  const large = blank(size);
  const columns = interpolation(mask.width, size.width);
  const rows = interpolation(mask.height, size.height);
  const blended = new Float32Array(mask.width);
  for (let y = 0; y < size.height; y++) {
    const above = rows.below[y] * mask.width;
    const below = Math.min(rows.below[y] + 1, mask.height - 1) * mask.width;
    const weight = rows.weight[y];
    for (let x = 0; x < mask.width; x++) {
      blended[x] = mask.pixels[above + x] * (1 - weight) + mask.pixels[below + x] * weight;
    }
    for (let x = 0; x < size.width; x++) {
      const left = columns.below[x];
      const right = Math.min(left + 1, mask.width - 1);
      const value = blended[left] * (1 - columns.weight[x]) + blended[right] * columns.weight[x];
      large.pixels[y * size.width + x] = value >= 0.5 ? 1 : 0;
    }
  }
  return large;
}

function interpolation(from: number, to: number): { below: Int32Array; weight: Float32Array } {
  const below = new Int32Array(to);
  const weight = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const centre = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    below[i] = Math.min(Math.floor(centre), Math.max(from - 2, 0));
    weight[i] = centre - below[i];
  }
  return { below, weight };
}

/** How much masks of one size disagree at each pixel: 0 where all say the same, 255 where half of them differ. */
export function disagreement(masks: readonly Mask[]): Uint8Array {
  const result = new Uint8Array(masks[0]?.pixels.length ?? 0);
  for (let i = 0; i < result.length; i++) {
    let n = 0;
    for (const mask of masks) n += mask.pixels[i];
    result[i] = Math.round((255 * 2 * Math.min(n, masks.length - n)) / masks.length);
  }
  return result;
}
