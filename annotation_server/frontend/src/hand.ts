/** The tool in the reader's hand, and what its strokes, drags and clicks do to the mask. No browser needed. */

import { type Point, sweep } from "./brush";
import type { Mask, Rect, Size } from "./mask";
import { fillRegion } from "./region";

export const TOOLS = ["brush", "lasso", "polygon"] as const;
export type Tool = (typeof TOOLS)[number];

/** What the hand works on. */
export interface Sheet {
  readonly size: Size;
  /** Applies `edit`, which returns the rectangle that may have changed. */
  change(edit: (mask: Mask) => Rect | null): void;
  /** Ends an action; false if it changed nothing. */
  commit(): boolean;
}

/** How the pointer was pressed; `scale` is CSS pixels a film pixel. */
export interface Press {
  readonly erase: boolean;
  readonly scale: number;
  readonly timeMs: number;
}

const LARGEST_SHARE = 0.25;
const GROWTH = 1.2;
/** Two clicks no further apart, in CSS pixels and milliseconds, are a double click. */
const NEAR_PX = 8;
const DOUBLE_CLICK_MS = 500;
/** Points of a lasso are at least so many CSS pixels apart. */
const LASSO_STEP_PX = 1;

export class Hand {
  erasing = false;
  private held: Tool = "brush";
  /** The lasso's or polygon's line so far; the place of the pointer; the brush's last place. */
  private points: Point[] = [];
  private tip: Point | null = null;
  private last: Point | null = null;
  private value: 0 | 1 = 1;
  private scale = 1;
  private pressedMs = -Infinity;

  /** `brushPx` is the brush's diameter in film pixels. */
  constructor(
    private readonly sheet: Sheet,
    private brushPx: number,
  ) {}

  get tool(): Tool {
    return this.held;
  }

  /** Another tool: it paints, and what was begun with the last one is given up. */
  take(tool: Tool): void {
    this.cancel();
    this.held = tool;
    this.erasing = false;
  }

  get size(): number {
    return this.brushPx;
  }

  get largest(): number {
    return Math.round(Math.max(this.sheet.size.width, this.sheet.size.height) * LARGEST_SHARE);
  }

  /** Film pixels under the brush. */
  get brushArea(): number {
    return (Math.PI * this.brushPx ** 2) / 4;
  }

  resize(px: number): void {
    this.brushPx = Math.min(this.largest, Math.max(1, Math.round(px)));
  }

  /** One key press larger (1) or smaller (-1). */
  step(direction: number): void {
    const wanted = this.brushPx * GROWTH ** direction;
    this.resize(direction > 0 ? Math.max(wanted, this.brushPx + 1) : Math.min(wanted, this.brushPx - 1));
  }

  /** Whether a lasso or polygon is being drawn. */
  get isOpen(): boolean {
    return this.points.length > 0;
  }

  /** The line of the lasso or polygon, up to the pointer. */
  get line(): readonly Point[] {
    return this.isOpen && this.tip ? [...this.points, this.tip] : this.points;
  }

  /** Whether the line closes from its last point to its first. */
  get closes(): boolean {
    return this.held === "lasso";
  }

  /** The pointer goes down; all points in film pixels. True if the mask changed for good. */
  begin(at: Point, press: Press): boolean {
    this.value = press.erase || this.erasing ? 0 : 1;
    this.scale = press.scale;
    if (this.held === "polygon") return this.corner(at, press.timeMs);
    this.last = at;
    if (this.held === "lasso") this.points = [at];
    else this.move([at]);
    return false;
  }

  move(points: readonly Point[]): void {
    for (const point of points) {
      const { last } = this;
      if (!last) return;
      if (this.held === "lasso") {
        if (this.distance(last, point) < LASSO_STEP_PX) continue;
        this.points.push(point);
      } else this.sheet.change((mask) => sweep(mask, last, point, this.brushPx / 2, this.value));
      this.last = point;
    }
  }

  /** The pointer goes up. True if the mask changed for good. */
  end(): boolean {
    this.last = null;
    if (this.held === "polygon") return false;
    return this.held === "lasso" ? this.close() : this.sheet.commit();
  }

  /** The pointer moves without a button. True if that can be seen. */
  hover(at: Point | null): boolean {
    this.tip = this.held === "polygon" ? at : null;
    return this.isOpen;
  }

  /** Fills what the line encloses, or cuts it out. True if the mask changed. */
  close(): boolean {
    const { points, value } = this;
    this.cancel();
    if (points.length < 3) return false;
    this.sheet.change((mask) => fillRegion(mask, points, value));
    return this.sheet.commit();
  }

  /** Takes the polygon's last corner back; false if there is none. */
  back(): boolean {
    return this.held === "polygon" && this.points.pop() !== undefined;
  }

  /** Gives the line up; false if there is none. */
  cancel(): boolean {
    const { isOpen } = this;
    this.points = [];
    this.last = null;
    return isOpen;
  }

  /** A further corner. A double click closes the polygon, and so does a click on its first corner. */
  private corner(at: Point, timeMs: number): boolean {
    const isDouble = timeMs - this.pressedMs <= DOUBLE_CLICK_MS && this.isNear(this.points.at(-1), at);
    this.pressedMs = timeMs;
    if (isDouble || (this.points.length >= 3 && this.isNear(this.points[0], at))) return this.close();
    this.points.push(at);
    return false;
  }

  private isNear(point: Point | undefined, at: Point): boolean {
    return point !== undefined && this.distance(point, at) <= NEAR_PX;
  }

  /** In CSS pixels. */
  private distance(a: Point, b: Point): number {
    return Math.hypot(a.x - b.x, a.y - b.y) * this.scale;
  }
}

/** A brush of a fortieth of the film, in film pixels. */
export function usualBrush(size: Size): number {
  return Math.max(4, Math.round(Math.max(size.width, size.height) / 40));
}
