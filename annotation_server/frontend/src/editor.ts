/** A mask that is being drawn, with undo. It knows nothing of panes, keys and servers. */

import { canonicalMask } from "./canonical";
import { Hand, type Sheet } from "./hand";
import { History } from "./history";
import { type Mask, type Rect, type Size, equal, extent, isEmpty, pack } from "./mask";
import { LiveOverlay, type Look, outlinePath, paintFinal, paintLine } from "./overlay";
import { fillHoles, removeSpecks } from "./parts";

export interface Start {
  /** The candidate that is touched up, null for a drawing of one's own. */
  readonly slot: number | null;
  /** The candidate that a redraw began with, null if it began blank. */
  readonly startedFrom: number | null;
  /** What the drawing starts from. */
  readonly mask: Mask;
  /** What it must differ from: the candidate, or a blank mask. */
  readonly origin: Mask;
}

export class Editor implements Sheet {
  readonly hand: Hand;
  /** While it is being sent, a drawing stays as it is. */
  frozen = false;
  private start: Start;
  private readonly mask: Mask;
  private readonly history: History;
  private readonly overlay: LiveOverlay;
  private final: Path2D | null = null;

  /** `brushPx` is the brush's diameter in film pixels. */
  constructor(start: Start, brushPx: number) {
    this.start = start;
    this.mask = start.mask;
    this.hand = new Hand(this, brushPx);
    this.history = new History(this.mask);
    this.overlay = new LiveOverlay(this.mask);
  }

  get size(): Size {
    return this.mask;
  }

  get slot(): number | null {
    return this.start.slot;
  }

  get startedFrom(): number | null {
    return this.start.startedFrom;
  }

  get canUndo(): boolean {
    return this.history.canUndo;
  }

  get canRedo(): boolean {
    return this.history.canRedo;
  }

  get isEmpty(): boolean {
    return isEmpty(this.mask);
  }

  get isUnchanged(): boolean {
    return equal(this.mask, this.start.origin);
  }

  change(edit: (mask: Mask) => Rect | null): void {
    if (this.frozen) return;
    const rect = edit(this.mask);
    this.history.touch(rect);
    if (rect) this.overlay.update(rect);
  }

  commit(): boolean {
    return this.history.commit();
  }

  clear(): boolean {
    return this.act((mask) => {
      const rect = extent(mask);
      mask.pixels.fill(0);
      return rect;
    });
  }

  fillHoles(): boolean {
    return this.act(fillHoles);
  }

  /** Removes every part that is smaller than the brush; the largest part stays. */
  removeSpecks(): boolean {
    return this.act((mask) => removeSpecks(mask, this.hand.brushArea));
  }

  /** Goes on from a candidate instead of blank. */
  startFrom(slot: number, candidate: Mask): boolean {
    if (this.frozen) return false;
    this.start = { ...this.start, startedFrom: slot, origin: candidate };
    return this.act((mask) => {
      mask.pixels.set(candidate.pixels);
      return { x: 0, y: 0, width: mask.width, height: mask.height };
    });
  }

  /** Takes back the last corner of an open polygon, else the last action. */
  undo(): boolean {
    return this.hand.back() || (!this.frozen && this.repaint(this.history.undo()));
  }

  redo(): boolean {
    return !this.frozen && this.repaint(this.history.redo());
  }

  /** Shows, as a second outline, what the drawing will count as on a canonical grid; null hides it. */
  showFinal(grid: Size | null): void {
    this.final = grid && outlinePath(canonicalMask(this.mask, grid), this.mask);
  }

  get showsFinal(): boolean {
    return this.final !== null;
  }

  /** Where the picture has changed since it was painted, in film pixels; null if nowhere. */
  damage(scale: number): Rect | null {
    return this.overlay.damage(scale);
  }

  /** Paints all of it, or what can be seen within `clip`. */
  paint(context: CanvasRenderingContext2D, look: Look, scale: number, clip: Rect | null = null): void {
    this.overlay.paint(context, look, scale, clip);
    if (this.final) paintFinal(context, this.final, scale);
    paintLine(context, this.hand.line, this.hand.closes, scale);
  }

  bits(): Uint8Array<ArrayBuffer> {
    return pack(this.mask.pixels);
  }

  private act(edit: (mask: Mask) => Rect | null): boolean {
    this.hand.cancel();
    this.change(edit);
    return this.commit();
  }

  private repaint(rect: Rect | null): boolean {
    if (rect) this.overlay.update(rect);
    return rect !== null;
  }
}
