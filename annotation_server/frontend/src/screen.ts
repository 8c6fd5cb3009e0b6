/** The panes: what is painted where, at most once a frame. */

import type { Point } from "./brush";
import type { Choice } from "./choice";
import { h } from "./dom";
import type { Editor } from "./editor";
import type { LoadedCase } from "./film";
import { type GestureEvents, Gestures } from "./gestures";
import { paintLungs } from "./lungs";
import type { Size } from "./mask";
import { text } from "./messages";
import { type Look, disagreementImage, paintCandidate } from "./overlay";
import { Pane, WindowFilter } from "./pane";
import { type Placement, Viewport, Window, toFilm } from "./viewport";

export interface ScreenEvents {
  /** Whether the reader can see the screen. */
  readonly isSeen: boolean;
  /** Candidates that the reader can see now. */
  onShown(slots: readonly number[]): void;
  onTap(slot: number | null): void;
  onStroke(): void;
  onBrush(): void;
}

export class Screen implements GestureEvents {
  look: Look = { style: "outline", opacity: 1 };
  /** While a key is held. */
  hidden = false;
  /** Until a stroke begins. */
  maskHidden = false;
  showsDisagreement = false;
  showsLungs = false;
  /** Whether a plain drag changes window and level. */
  shades = false;
  /** The film with local contrast. */
  contrast = false;
  readonly window = new Window();
  private readonly viewport = new Viewport();
  private readonly filter = new WindowFilter();
  private readonly cursor = h("div", { class: "cursor", "aria-hidden": "true" });
  private panes: Pane[] = [];
  private loaded: LoadedCase | null = null;
  private choice: Choice | null = null;
  private editing: Editor | null = null;
  private inGrid = false;
  private disagreement: HTMLCanvasElement | null | undefined;
  private filmIsStale = false;
  private overlayIsStale = false;
  private frame = 0;

  constructor(
    private readonly element: HTMLElement,
    private readonly events: ScreenEvents,
  ) {
    new ResizeObserver(() => this.invalidate()).observe(element);
    this.filter.apply(this.window);
  }

  get grid(): boolean {
    return this.inGrid && this.editing === null;
  }

  get draws(): boolean {
    return this.editing !== null;
  }

  /** Whether the candidates of this case differ anywhere. */
  get differs(): boolean {
    return this.disagreementOfCase() !== null;
  }

  /** Whether this film has an outline of the lungs. */
  get hasLungs(): boolean {
    return (this.loaded?.lungs ?? null) !== null;
  }

  open(loaded: LoadedCase, choice: Choice): void {
    this.loaded = loaded;
    this.choice = choice;
    this.disagreement = undefined;
    this.reset();
    this.edit(null);
  }

  /** Forgets the case, whose film may be closed then. */
  leave(): void {
    this.loaded = null;
    this.choice = null;
    this.editing = null;
  }

  edit(editor: Editor | null): void {
    this.editing = editor;
    this.shades = false;
    this.maskHidden = false;
    this.hover(null);
    this.build();
  }

  setGrid(grid: boolean): void {
    this.inGrid = grid;
    this.build();
  }

  reset(): void {
    this.viewport.reset();
    this.window.reset();
    this.contrast = false;
    this.filter.apply(this.window);
    this.invalidate();
  }

  invert(): void {
    this.window.invert();
    this.filter.apply(this.window);
  }

  /** Spreads the grey values that the film uses from black to white. */
  async autoWindow(): Promise<void> {
    const { loaded } = this;
    const greys = await loaded?.film.greys();
    if (!greys || loaded !== this.loaded) return;
    this.window.spread(this.contrast ? greys.local : greys.plain);
    this.filter.apply(this.window);
  }

  async toggleContrast(): Promise<void> {
    const { loaded } = this;
    await loaded?.film.greys();
    if (loaded !== this.loaded) return;
    this.contrast = !this.contrast;
    this.invalidate();
  }

  /** Zooms about the middle. */
  zoomBy(factor: number): void {
    const [pane] = this.panes;
    if (pane) this.zoom({ x: pane.size.width / 2, y: pane.size.height / 2 }, factor, pane);
  }

  panBy(dx: number, dy: number): void {
    if (this.panes[0]) this.pan(dx, dy, this.panes[0]);
  }

  /** Paints the overlays again in the next frame, and the film unless it stays as it is. */
  invalidate(film = true): void {
    this.filmIsStale ||= film;
    this.overlayIsStale = true;
    this.schedule();
  }

  private schedule(): void {
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  zoom(at: Point, factor: number, pane: Pane): void {
    if (this.loaded) this.viewport.zoomAt(at, factor, this.loaded.film, pane.size);
    this.invalidate();
  }

  pan(dx: number, dy: number, pane: Pane): void {
    if (this.loaded) this.viewport.panBy(dx, dy, this.loaded.film, pane.size);
    this.invalidate();
  }

  /** Fractions of the grey scale: a wider window, a higher and so darker level. */
  shade(dx: number, dy: number): void {
    this.window.change(dx, dy);
    this.filter.apply(this.window);
  }

  tap(pane: Pane): void {
    if (this.grid) this.events.onTap(this.slotOf(pane));
  }

  resizeBrush(step: number): void {
    this.editing?.hand.step(step);
    this.events.onBrush();
  }

  strokeBegin(at: Point, erase: boolean, timeMs: number): void {
    if (!this.editing || this.editing.frozen) return;
    this.maskHidden = false;
    const { scale } = this.placement(this.panes[0].size);
    const changed = this.editing.hand.begin(this.toFilm(at), { erase, scale, timeMs });
    this.invalidate(false);
    if (changed) this.events.onStroke();
  }

  strokeMove(points: readonly Point[]): void {
    const hand = this.editing?.hand;
    hand?.move(points.map((point) => this.toFilm(point)));
    if (hand?.tool === "brush") this.schedule();
    else this.invalidate(false);
  }

  strokeEnd(): void {
    const changed = this.editing?.hand.end();
    this.invalidate(false);
    if (changed) this.events.onStroke();
  }

  /** Puts the true-size brush under the pointer; through the object model, as the policy wants. */
  hover(at: Point | null): void {
    const hand = this.editing?.hand;
    this.cursor.hidden = at === null || hand?.tool !== "brush";
    if (!hand) return;
    if (hand.hover(at && this.toFilm(at))) this.invalidate(false);
    if (!at) return;
    const size = hand.size * this.placement(this.panes[0].size).scale;
    this.cursor.style.width = this.cursor.style.height = `${size}px`;
    this.cursor.style.transform = `translate(${at.x - size / 2}px, ${at.y - size / 2}px)`;
  }

  /** The panes of the present layout: one, or the film alone and every candidate. */
  private build(): void {
    if (!this.loaded) return;
    const n = this.grid ? this.loaded.comparison.n_candidates + 1 : 1;
    if (this.panes.length !== n || !this.panes[0].element.isConnected) {
      this.panes = Array.from({ length: n }, () => new Pane(n > 1 ? "small" : "large"));
      for (const pane of this.panes) new Gestures(pane, this);
      this.element.replaceChildren(...this.panes.map((pane) => pane.element), this.cursor, this.filter.element);
    }
    this.element.classList.toggle("grid", this.grid);
    this.element.classList.toggle("drawing", this.draws);
    this.invalidate();
  }

  private slotOf(pane: Pane): number | null {
    const i = this.panes.indexOf(pane);
    return i > 0 ? i - 1 : null;
  }

  private placement(size: Size): Placement {
    return this.viewport.place(this.loaded?.film ?? size, size);
  }

  private toFilm(at: Point): Point {
    return toFilm(at, this.placement(this.panes[0].size));
  }

  private paint(): void {
    this.frame = 0;
    const [film, all] = [this.filmIsStale, this.overlayIsStale];
    this.filmIsStale = this.overlayIsStale = false;
    if (!this.loaded || !this.choice) return;
    if (this.editing && !all) return this.paintStroke(this.editing, this.panes[0]);
    for (const pane of this.panes) {
      const slot = this.grid ? this.slotOf(pane) : this.choice.shown;
      const placement = this.placement(pane.size);
      if (film) pane.paintFilm(this.loaded.film, placement, this.contrast);
      pane.paintOverlay(placement, (context) => this.paintOverlay(context, slot, placement.scale));
      this.describe(pane, slot);
    }
    if (this.hidden || this.draws || !this.events.isSeen) return;
    const slots = this.loaded.masks.map((_, slot) => slot);
    this.events.onShown(this.grid ? slots : slots.filter((slot) => slot === this.choice?.shown));
  }

  /** Paints only where the brush went: the whole outline would take longer the more is drawn. */
  private paintStroke(editor: Editor, pane: Pane): void {
    const placement = this.placement(pane.size);
    const clip = editor.damage(placement.scale);
    if (!clip || this.hidden) return;
    const paint = (context: CanvasRenderingContext2D): void => {
      this.paintLungs(context, placement.scale);
      editor.paint(context, this.look, placement.scale, clip);
    };
    pane.paintOverlay(placement, paint, clip);
  }

  private paintOverlay(context: CanvasRenderingContext2D, slot: number | null, scale: number): void {
    if (this.hidden || !this.loaded) return;
    this.paintLungs(context, scale);
    if (this.editing) {
      if (!this.maskHidden) this.editing.paint(context, this.look, scale);
      return;
    }
    const disagreement = this.showsDisagreement ? this.disagreementOfCase() : null;
    if (disagreement) context.drawImage(disagreement, 0, 0, this.loaded.film.width, this.loaded.film.height);
    if (slot !== null) paintCandidate(context, this.loaded.outlines[slot], this.look, scale);
  }

  private paintLungs(context: CanvasRenderingContext2D, scale: number): void {
    if (this.showsLungs && this.loaded?.lungs) paintLungs(context, this.loaded.lungs, scale);
  }

  private describe(pane: Pane, slot: number | null): void {
    const name = slot === null ? text.filmAlone : text.filmWith(slot);
    pane.describe(this.draws ? "" : slot === null ? "0" : `${slot + 1}`, this.draws ? text.filmDrawn : name);
    pane.element.classList.toggle("selected", this.grid && slot !== null && slot === this.choice?.selected);
    pane.element.classList.toggle("also", this.grid && slot !== null && (this.choice?.alsoAcceptable ?? []).includes(slot));
  }

  private disagreementOfCase(): HTMLCanvasElement | null {
    if (this.disagreement === undefined && this.loaded) this.disagreement = disagreementImage(this.loaded.masks);
    return this.disagreement ?? null;
  }
}
