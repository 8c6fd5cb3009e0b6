/** A mask under the reader's brush, with undo. It knows nothing of panes, keys and servers. */

import { type Point, sweep } from "./brush";
import { History } from "./history";
import { type Mask, type Rect, area, equal, pack } from "./mask";
import { type Look, LiveOverlay } from "./overlay";

export interface Start {
  /** The candidate that is touched up, null for a redraw. */
  readonly slot: number | null;
  /** What the drawing starts from. */
  readonly mask: Mask;
  /** What it must differ from: the candidate, or a blank mask. */
  readonly origin: Mask;
}

const LARGEST_SHARE = 0.25;
const GROWTH = 1.2;

export class Editor {
  readonly slot: number | null;
  erasing = false;
  /** While it is being sent, a drawing stays as it is. */
  frozen = false;
  private readonly mask: Mask;
  private readonly origin: Mask;
  private readonly strokes: History;
  private readonly overlay: LiveOverlay;
  private last: Point | null = null;
  private value: 0 | 1 = 1;

  /** `brushPx` is the brush's diameter in film pixels. */
  constructor(
    start: Start,
    private brushPx: number,
  ) {
    this.slot = start.slot;
    this.origin = start.origin;
    this.mask = start.mask;
    this.strokes = new History(this.mask);
    this.overlay = new LiveOverlay(this.mask);
  }

  get size(): number {
    return this.brushPx;
  }

  get largest(): number {
    return Math.round(Math.max(this.mask.width, this.mask.height) * LARGEST_SHARE);
  }

  get canUndo(): boolean {
    return this.strokes.canUndo;
  }

  get canRedo(): boolean {
    return this.strokes.canRedo;
  }

  get isEmpty(): boolean {
    return area(this.mask) === 0;
  }

  get isUnchanged(): boolean {
    return equal(this.mask, this.origin);
  }

  resize(px: number): void {
    this.brushPx = Math.min(this.largest, Math.max(1, Math.round(px)));
  }

  /** One key press larger (1) or smaller (-1). */
  step(direction: number): void {
    const wanted = this.brushPx * GROWTH ** direction;
    this.resize(direction > 0 ? Math.max(wanted, this.brushPx + 1) : Math.min(wanted, this.brushPx - 1));
  }

  /** All points in film pixels. */
  begin(at: Point, erase: boolean): void {
    if (this.frozen) return;
    this.value = erase || this.erasing ? 0 : 1;
    this.last = at;
    this.extend([at]);
  }

  extend(points: readonly Point[]): void {
    for (const point of points) {
      if (!this.last) return;
      this.changed(sweep(this.mask, this.last, point, this.brushPx / 2, this.value));
      this.last = point;
    }
  }

  /** False if the stroke changed nothing. */
  end(): boolean {
    this.last = null;
    return this.strokes.commit();
  }

  clear(): boolean {
    if (this.frozen) return false;
    this.mask.pixels.fill(0);
    this.changed({ x: 0, y: 0, width: this.mask.width, height: this.mask.height });
    return this.strokes.commit();
  }

  undo(): boolean {
    return !this.frozen && this.repaint(this.strokes.undo());
  }

  redo(): boolean {
    return !this.frozen && this.repaint(this.strokes.redo());
  }

  paint(context: CanvasRenderingContext2D, look: Look, scale: number): void {
    this.overlay.paint(context, look, scale);
  }

  bits(): Uint8Array<ArrayBuffer> {
    return pack(this.mask.pixels);
  }

  private changed(rect: Rect | null): void {
    this.strokes.touch(rect);
    this.repaint(rect);
  }

  private repaint(rect: Rect | null): boolean {
    if (rect) this.overlay.update(rect);
    return rect !== null;
  }
}

/** A brush of a fortieth of the film, in film pixels. */
export function usualBrush(size: { width: number; height: number }): number {
  return Math.max(4, Math.round(Math.max(size.width, size.height) / 40));
}

