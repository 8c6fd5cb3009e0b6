/** Mouse, pen and touch over the panes, as what they mean. */

import type { Point } from "./brush";
import type { Pane } from "./pane";

const TAP_PX = 4;
const WHEEL_STEP = 0.0015;
const LINE_PX = 16;
/** A hand rests on the glass for so long after its pen has left. */
const PALM_MS = 500;
const PEN_ERASER = 5;

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
  /** Whether a left drag, or one finger, changes window and level instead. */
  readonly shades: boolean;
  strokeBegin(at: Point, erase: boolean, timeMs: number): void;
  strokeMove(points: readonly Point[]): void;
  strokeEnd(): void;
  /** Where the pointer is, null when it has left. */
  hover(at: Point | null): void;
}

/** The mouse or pen that is down, and what it does. */
interface Drag {
  readonly id: number;
  readonly kind: "stroke" | "pan" | "window";
  readonly start: Point;
  last: Point;
}

/** Watches one pane. Mouse and pen draw, fingers pan and zoom; a hand that rests beside its pen does nothing. */
export class Gestures {
  private drag: Drag | null = null;
  private readonly fingers = new Map<number, Point>();
  private touched: Point | null = null;
  private penSeenMs = -Infinity;

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
    element.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") this.events.hover(null);
    });
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
    const at = this.at(event);
    this.notePen(event);
    if (event.pointerType === "touch") {
      if (this.drag || event.timeStamp - this.penSeenMs < PALM_MS) return;
      this.touched = this.fingers.size === 0 ? at : null;
      this.fingers.set(event.pointerId, at);
    } else if (!this.drag) {
      this.fingers.clear(); // the palm came down before its pen
      this.drag = { id: event.pointerId, kind: this.meaning(event), start: at, last: at };
    } else return;
    this.pane.element.setPointerCapture(event.pointerId);
    const erases = event.ctrlKey || event.button === PEN_ERASER;
    if (this.drag?.kind === "stroke") this.events.strokeBegin(at, erases, event.timeStamp);
  }

  private meaning(event: PointerEvent): Drag["kind"] {
    if (event.button === 2 || (event.button === 0 && this.events.shades)) return "window";
    const draws = event.button === PEN_ERASER || (event.button === 0 && !event.shiftKey);
    return draws && this.events.draws ? "stroke" : "pan";
  }

  private move(event: PointerEvent): void {
    const at = this.at(event);
    this.notePen(event);
    if (event.pointerType === "touch") return this.finger(event.pointerId, at);
    this.events.hover(at);
    const { drag } = this;
    if (drag?.id !== event.pointerId) return;
    const [dx, dy] = [at.x - drag.last.x, at.y - drag.last.y];
    drag.last = at;
    if (drag.kind === "stroke") this.events.strokeMove(this.path(event));
    else if (drag.kind === "pan") this.events.pan(dx, dy, this.pane);
    else this.shade(dx, dy);
  }

  /** Every place that the pointer went through since the last event. Where pages come over plain HTTP only the last. */
  private path(event: PointerEvent): Point[] {
    const events = (event as Partial<PointerEvent>).getCoalescedEvents ? event.getCoalescedEvents() : [];
    return (events.length > 0 ? events : [event]).map((one) => this.at(one));
  }

  private notePen(event: PointerEvent): void {
    if (event.pointerType === "pen") this.penSeenMs = event.timeStamp;
  }

  private finger(id: number, at: Point): void {
    const before = this.fingers.get(id);
    if (!before) return;
    const other = [...this.fingers].find(([key]) => key !== id)?.[1];
    this.fingers.set(id, at);
    if (!other && this.events.shades) return this.shade(at.x - before.x, at.y - before.y);
    const share = other ? 0.5 : 1;
    this.events.pan((at.x - before.x) * share, (at.y - before.y) * share, this.pane);
    if (!other) return;
    const factor = distance(at, other) / Math.max(1, distance(before, other));
    this.events.zoom({ x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 }, factor, this.pane);
  }

  private shade(dx: number, dy: number): void {
    this.events.shade(dx / this.pane.size.width, dy / this.pane.size.height);
  }

  private up(event: PointerEvent): void {
    const { drag, touched } = this;
    if (this.fingers.delete(event.pointerId)) {
      if (touched && this.fingers.size === 0) this.tap(touched, event);
    } else if (drag?.id === event.pointerId) {
      this.drag = null;
      if (drag.kind === "stroke") this.events.strokeEnd();
      else if (event.button === 0) this.tap(drag.start, event);
    }
  }

  private tap(start: Point, event: PointerEvent): void {
    if (distance(start, this.at(event)) <= TAP_PX) this.events.tap(this.pane);
  }
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
