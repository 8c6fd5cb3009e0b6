/** Mouse, pen and touch over the panes, as what they mean. */

import type { Point } from "./brush";
import type { Pane } from "./pane";

const TAP_PX = 4;
const WHEEL_STEP = 0.0015;
const LINE_PX = 16;

export interface GestureEvents {
  zoom(at: Point, factor: number, pane: Pane): void;
  pan(dx: number, dy: number, pane: Pane): void;
  /** Fractions of the pane's size. */
  shade(dx: number, dy: number): void;
  tap(pane: Pane): void;
  /** Shift and wheel: 1 or -1. */
  resizeBrush(step: number): void;
  /** Whether a left drag draws; asked when it begins. */
  readonly draws: boolean;
  strokeBegin(at: Point, erase: boolean): void;
  strokeMove(points: readonly Point[]): void;
  strokeEnd(): void;
  /** Where the pointer is without a button, null when it has left. */
  hover(at: Point | null): void;
}

type Drag = "stroke" | "pan" | "window" | "touch";

/** Watches one pane. Mouse and pen draw, fingers pan and zoom. */
export class Gestures {
  private drag: Drag | null = null;
  private start: Point = { x: 0, y: 0 };
  private last: Point = { x: 0, y: 0 };
  private readonly fingers = new Map<number, Point>();

  constructor(
    private readonly pane: Pane,
    private readonly events: GestureEvents,
  ) {
    const { element } = pane;
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("pointerdown", (event) => this.down(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.up(event));
    element.addEventListener("pointercancel", (event) => this.up(event));
    element.addEventListener("pointerleave", () => this.events.hover(null));
    element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  private at(event: MouseEvent): Point {
    const box = this.pane.element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    // A browser turns Shift and wheel into a sideways wheel.
    const delta = (event.deltaY || event.deltaX) * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1);
    if (event.shiftKey) this.events.resizeBrush(-Math.sign(delta));
    else this.events.zoom(this.at(event), Math.exp(-delta * WHEEL_STEP), this.pane);
  }

  private down(event: PointerEvent): void {
    this.start = this.last = this.at(event);
    this.pane.element.setPointerCapture(event.pointerId);
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, this.start);
      this.drag = "touch";
      return;
    }
    if (this.drag) return;
    this.drag = this.meaning(event);
    if (this.drag === "stroke") this.events.strokeBegin(this.start, event.ctrlKey || (event.buttons & 32) !== 0);
  }

  private meaning(event: PointerEvent): Drag {
    if (event.button === 2) return "window";
    if (event.button === 0 && this.events.draws && !event.shiftKey) return "stroke";
    // 5 is the eraser end of a pen.
    return event.button === 5 && this.events.draws ? "stroke" : "pan";
  }

  private move(event: PointerEvent): void {
    const at = this.at(event);
    if (event.pointerType === "touch") this.finger(event.pointerId, at);
    else this.events.hover(at);
    const [dx, dy] = [at.x - this.last.x, at.y - this.last.y];
    this.last = at;
    if (this.drag === "stroke") {
      const points = event.getCoalescedEvents().map((one) => this.at(one));
      this.events.strokeMove(points.length > 0 ? points : [at]);
    } else if (this.drag === "pan") this.events.pan(dx, dy, this.pane);
    else if (this.drag === "window") {
      const { width, height } = this.pane.size;
      this.events.shade(dx / width, dy / height);
    }
  }

  private finger(id: number, at: Point): void {
    const before = this.fingers.get(id);
    if (!before) return;
    const other = [...this.fingers].find(([key]) => key !== id)?.[1];
    this.fingers.set(id, at);
    const share = other ? 0.5 : 1;
    this.events.pan((at.x - before.x) * share, (at.y - before.y) * share, this.pane);
    if (!other) return;
    const factor = distance(at, other) / Math.max(1, distance(before, other));
    this.events.zoom({ x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 }, factor, this.pane);
  }

  private up(event: PointerEvent): void {
    const wasDrag = this.drag;
    this.fingers.delete(event.pointerId);
    if (this.fingers.size > 0 || !wasDrag) return;
    this.drag = null;
    if (wasDrag === "stroke") this.events.strokeEnd();
    else if (event.button === 0 && distance(this.start, this.at(event)) <= TAP_PX) this.events.tap(this.pane);
  }
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
