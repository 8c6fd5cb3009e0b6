/** Undo and redo, one step a stroke. */

import { type Mask, type Rect, blank, pack, unpack } from "./mask";

/** Which pixels of `rect` a stroke turned over; applying it twice gives the start again. */
interface Patch {
  readonly rect: Rect;
  readonly bits: Uint8Array;
}

export const DEPTH = 200;

/**
 * Watches `mask`, which its owner paints into, and keeps what each stroke turned over as bits of its dirty rectangle.
 * `touch` says what a stroke may have changed, `commit` ends it.
 */
export class StrokeHistory {
  private readonly committed: Mask;
  private readonly done: Patch[] = [];
  private readonly undone: Patch[] = [];
  private dirty: Rect | null = null;

  constructor(private readonly mask: Mask) {
    this.committed = { ...mask, pixels: mask.pixels.slice() };
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  touch(rect: Rect | null): void {
    if (rect) this.dirty = union(this.dirty, rect);
  }

  /** Ends a stroke. False, and no step, if it turned nothing over. */
  commit(): boolean {
    const rect = this.dirty;
    this.dirty = null;
    if (!rect) return false;
    const change = blank(rect);
    let changed = false;
    forEachPixel(this.mask, rect, (at, i) => {
      change.pixels[i] = this.mask.pixels[at] ^ this.committed.pixels[at];
      changed ||= change.pixels[i] === 1;
      this.committed.pixels[at] = this.mask.pixels[at];
    });
    if (!changed) return false;
    this.done.push({ rect, bits: pack(change.pixels) });
    if (this.done.length > DEPTH) this.done.shift();
    this.undone.length = 0;
    return true;
  }

  /** Takes the last stroke back; returns the rectangle that changed. */
  undo(): Rect | null {
    return this.move(this.done, this.undone);
  }

  redo(): Rect | null {
    return this.move(this.undone, this.done);
  }

  private move(from: Patch[], to: Patch[]): Rect | null {
    this.commit();
    const patch = from.pop();
    if (!patch) return null;
    const change = unpack(patch.bits, patch.rect);
    forEachPixel(this.mask, patch.rect, (at, i) => {
      this.mask.pixels[at] ^= change.pixels[i];
      this.committed.pixels[at] = this.mask.pixels[at];
    });
    to.push(patch);
    return patch.rect;
  }
}

function union(a: Rect | null, b: Rect): Rect {
  if (!a) return b;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  const right = Math.max(a.x + a.width, b.x + b.width);
  const bottom = Math.max(a.y + a.height, b.y + b.height);
  return { x, y, width: right - x, height: bottom - y };
}

function forEachPixel(mask: Mask, rect: Rect, visit: (at: number, i: number) => void): void {
  let i = 0;
  for (let y = rect.y; y < rect.y + rect.height; y++) {
    const row = y * mask.width;
    for (let x = rect.x; x < rect.x + rect.width; x++) visit(row + x, i++);
  }
}
