/** What part of the film is seen, and with which grey values. All panes share one of each. */

import type { Point } from "./brush";
import type { Range } from "./grey";
import type { Size } from "./mask";

const MAX_ZOOM = 40;
const NARROWEST = 0.02;

/** Zoom 1 shows the whole film; the centre is in fractions of the film. */
export class Viewport {
  private zoom = 1;
  private centre: Point = { x: 0.5, y: 0.5 };

  reset(): void {
    this.zoom = 1;
    this.centre = { x: 0.5, y: 0.5 };
  }

  /** Where the film lies in a pane: `scale` pane pixels a film pixel, its corner at (`left`, `top`). */
  place(film: Size, pane: Size): Placement {
    const scale = this.zoom * Math.min(pane.width / film.width, pane.height / film.height);
    return {
      scale,
      left: pane.width / 2 - this.centre.x * film.width * scale,
      top: pane.height / 2 - this.centre.y * film.height * scale,
    };
  }

  /** Zooms about a point of the pane, which keeps its place. */
  zoomAt(at: Point, factor: number, film: Size, pane: Size): void {
    const fixed = toFilm(at, this.place(film, pane));
    this.zoom = Math.min(MAX_ZOOM, Math.max(1, this.zoom * factor));
    const moved = this.place(film, pane);
    this.panBy(at.x - (moved.left + fixed.x * moved.scale), at.y - (moved.top + fixed.y * moved.scale), film, pane);
  }

  /** Moves the film by pane pixels; at zoom 1 it returns to the middle. */
  panBy(dx: number, dy: number, film: Size, pane: Size): void {
    const { scale } = this.place(film, pane);
    this.centre = {
      x: held(this.centre.x - dx / (film.width * scale), pane.width / (film.width * scale)),
      y: held(this.centre.y - dy / (film.height * scale), pane.height / (film.height * scale)),
    };
  }
}

export interface Placement {
  readonly scale: number;
  readonly left: number;
  readonly top: number;
}

export function toFilm(at: Point, { scale, left, top }: Placement): Point {
  return { x: (at.x - left) / scale, y: (at.y - top) / scale };
}

/** A centre such that no more than needed is seen beyond the film; `seen` is the seen fraction of its length. */
function held(centre: number, seen: number): number {
  const margin = Math.min(seen / 2, 0.5);
  return Math.min(1 - margin, Math.max(margin, centre));
}

/** Window and level, as the line grey = slope * value + intercept over values from 0 to 1. */
export class Window {
  private centre = 0.5;
  private width = 1;
  private inverted = false;

  reset(): void {
    this.centre = 0.5;
    this.width = 1;
    this.inverted = false;
  }

  invert(): void {
    this.inverted = !this.inverted;
  }

  /** Shows `range` from black to white, inverted if it was. */
  spread({ low, high }: Range): void {
    this.width = Math.max(NARROWEST, high - low);
    this.centre = (low + high) / 2;
  }

  get isInverted(): boolean {
    return this.inverted;
  }

  /** Both in fractions of the grey scale. */
  change(byWidth: number, byCentre: number): void {
    this.width = Math.min(2, Math.max(NARROWEST, this.width + byWidth));
    this.centre = Math.min(1, Math.max(0, this.centre + byCentre));
  }

  get line(): { slope: number; intercept: number } {
    const slope = 1 / this.width;
    const intercept = 0.5 - this.centre * slope;
    return this.inverted ? { slope: -slope, intercept: 1 - intercept } : { slope, intercept };
  }
}
