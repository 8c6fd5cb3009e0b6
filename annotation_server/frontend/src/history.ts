/** Undo and redo, one step an action. */

import { type Mask, type Rect, union } from "./mask";

/** What an action turned over; turning it over again gives the start back. */
interface Patch {
  readonly rect: Rect;
  /** Runs of pixels as start, end, start, end, ...: even a stroke across a large film takes little. */
  readonly runs: Uint32Array;
}

export const DEPTH = 200;

/**
 * Watches `mask`, which its owner paints into, and keeps what each action turned over. `touch` says what an action may
 * have changed, `commit` ends it.
 */
export class History {
  private readonly committed: Uint8Array;
  private readonly done: Patch[] = [];
  private readonly undone: Patch[] = [];
  private dirty: Rect | null = null;

  constructor(private readonly mask: Mask) {
    this.committed = mask.pixels.slice();
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

  /** Ends an action. False, and no step, if it turned nothing over. */
  commit(): boolean {
    const rect = this.dirty;
    this.dirty = null;
    const runs = rect ? this.changesIn(rect) : [];
    if (!rect || runs.length === 0) return false;
    this.done.push({ rect, runs: Uint32Array.from(runs) });
    if (this.done.length > DEPTH) this.done.shift();
    this.undone.length = 0;
    return true;
  }

  /** Takes the last action back; returns the rectangle that changed. */
  undo(): Rect | null {
    return this.move(this.done, this.undone);
  }

  redo(): Rect | null {
    return this.move(this.undone, this.done);
  }

  /** The runs that differ from what was committed; they are committed now. */
  private changesIn(rect: Rect): number[] {
    const { committed } = this;
    const { pixels, width } = this.mask;
    const runs: number[] = [];
    for (let y = rect.y; y < rect.y + rect.height; y++) {
      const end = y * width + rect.x + rect.width;
      for (let at = y * width + rect.x; at < end; at++) {
        if (pixels[at] === committed[at]) continue;
        runs.push(at);
        for (; at < end && pixels[at] !== committed[at]; at++) committed[at] = pixels[at];
        runs.push(at);
      }
    }
    return runs;
  }

  private move(from: Patch[], to: Patch[]): Rect | null {
    this.commit();
    const patch = from.pop();
    if (!patch) return null;
    const { rect, runs } = patch;
    for (let i = 0; i < runs.length; i += 2) {
      for (let at = runs[i]; at < runs[i + 1]; at++) this.committed[at] = this.mask.pixels[at] ^= 1;
    }
    to.push(patch);
    return rect;
  }
}
