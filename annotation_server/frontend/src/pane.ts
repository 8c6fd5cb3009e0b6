/** One picture: the film, and over it what is drawn on it, on two canvases. */

import { h, svg } from "./dom";
import type { Film } from "./film";
import type { Rect, Size } from "./mask";
import type { Placement, Window } from "./viewport";

export class Pane {
  readonly element: HTMLElement;
  private readonly film = h("canvas", { class: "film", role: "img" });
  private readonly overlay = h("canvas", { "aria-hidden": "true" });
  private readonly caption = h("span", { class: "caption", "aria-hidden": "true" });

  constructor(kind: string) {
    this.element = h("div", { class: `pane ${kind}` }, this.film, this.overlay, this.caption);
    // Through the object model: one filter serves all panes, and the policy forbids style attributes.
    this.film.style.filter = "url(#window)";
  }

  get size(): Size {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  describe(caption: string, description: string): void {
    this.caption.textContent = caption;
    this.film.setAttribute("aria-label", description);
  }

  paintFilm(film: Film, placement: Placement, withContrast: boolean): void {
    const context = this.prepare(this.film, placement);
    film.paint(context, placement.scale * devicePixelRatio, withContrast);
  }

  /** `paint` draws in film pixels: everything, or within `clip` only, where the rest stays as it was. */
  paintOverlay(placement: Placement, paint: (context: CanvasRenderingContext2D) => void, clip: Rect | null = null): void {
    const context = this.prepare(this.overlay, placement, clip);
    context.save();
    paint(context);
    context.restore();
    if (clip) context.restore();
  }

  private prepare(canvas: HTMLCanvasElement, placement: Placement, clip: Rect | null = null): CanvasRenderingContext2D {
    const ratio = devicePixelRatio;
    const [scale, left, top] = [ratio * placement.scale, ratio * placement.left, ratio * placement.top];
    const [width, height] = [Math.round(this.size.width * ratio), Math.round(this.size.height * ratio)];
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    if (!context) throw new Error("This browser has no 2D canvas.");
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (clip) {
      const [x, y] = [Math.floor(clip.x * scale + left), Math.floor(clip.y * scale + top)];
      const right = Math.ceil((clip.x + clip.width) * scale + left);
      const bottom = Math.ceil((clip.y + clip.height) * scale + top);
      context.save();
      context.beginPath();
      context.rect(x, y, right - x, bottom - y);
      context.clip();
    }
    context.clearRect(0, 0, width, height);
    context.setTransform(scale, 0, 0, scale, left, top);
    return context;
  }
}

/** The grey values of all films on the page, as one SVG filter whose line is changed in place. */
export class WindowFilter {
  readonly element: SVGElement;
  private readonly channels = ["R", "G", "B"].map((name) => svg(`feFunc${name}`, { type: "linear" }));

  constructor() {
    const transfer = svg("feComponentTransfer", {}, ...this.channels);
    const filter = svg("filter", { id: "window", "color-interpolation-filters": "sRGB" }, transfer);
    for (const [side, value] of Object.entries({ x: "0", y: "0", width: "1", height: "1" })) filter.setAttribute(side, value);
    this.element = svg("svg", { class: "definitions", "aria-hidden": "true" }, filter);
  }

  apply(window: Window): void {
    const { slope, intercept } = window.line;
    for (const channel of this.channels) {
      channel.setAttribute("slope", String(slope));
      channel.setAttribute("intercept", String(intercept));
    }
  }
}
