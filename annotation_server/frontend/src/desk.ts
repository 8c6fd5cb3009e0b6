/** The drawing on the desk: the editor with its tools, the draft that is kept, the brush that is remembered. */

import type { Api } from "./api";
import { Autosave } from "./autosave";
import type { Drafts } from "./drafts";
import { type DrawingEvents, DrawingPanel, type Task } from "./drawingpanel";
import { Editor, type Start } from "./editor";
import type { LoadedCase } from "./film";
import { usualBrush } from "./hand";
import { keymap } from "./hints";
import type { Draft, DrawingOf, Keeping } from "./keeping";
import { type Mask, type Size, blank, enlarge, unpack } from "./mask";
import { text } from "./messages";

const REST_MS = 300;
const BRUSH_KEY = "overread.brush";

/** Where drawings are kept. */
export interface Cabinet {
  readonly api: Pick<Api, "keepDraft" | "drawing">;
  readonly keeping: Keeping;
  readonly drafts: Drafts;
}

export interface DeskEvents extends DrawingEvents {
  /** Another drawing of the case is on the server: the reader has to choose. */
  stale(): void;
  /** The second outline was brought up to date. */
  repaint(): void;
}

export class Desk {
  readonly autosave: Autosave;
  readonly panel: DrawingPanel;
  private timer = 0;

  private constructor(
    readonly editor: Editor,
    private readonly task: Task,
    /** The draft that it goes on from, null if there was none. */
    readonly draft: Draft | null,
    /** Whether it goes on from an earlier drawing of any kind. */
    readonly goesOn: boolean,
    private readonly loaded: LoadedCase,
    cabinet: Cabinet,
    revision: number | null,
    private readonly events: DeskEvents,
  ) {
    this.panel = new DrawingPanel(task, editor, events);
    this.autosave = new Autosave(loaded.comparison.token, revision, cabinet.api, cabinet.keeping, {
      kept: (where) => this.panel.sayKept(where),
      stale: () => events.stale(),
    });
  }

  /**
   * A touch-up of the candidate in `slot`, or a drawing of one's own (null). It goes on from the draft of the same, else
   * from what the reader sent, if there is either.
   */
  static async prepare(loaded: LoadedCase, slot: number | null, cabinet: Cabinet, events: DeskEvents): Promise<Desk> {
    const { token } = loaded.comparison;
    const { draft, elsewhere } = await cabinet.drafts.find(token);
    const same = draft?.slot === slot ? draft : null;
    const earlier = same ?? (await sentDrawing(loaded, slot, cabinet.api));
    const editor = new Editor(startOf(loaded, slot, earlier), rememberedBrush(loaded.film));
    const revision = draft?.revision ?? null;
    const desk = new Desk(editor, taskOf(loaded, slot), same, earlier !== null, loaded, cabinet, revision, events);
    desk.panel.allowSave(desk.obstacle === null);
    if (elsewhere) desk.autosave.collide();
    if (same) void desk.autosave.resume(same);
    return desk;
  }

  get kind(): Task["kind"] {
    return this.task.kind;
  }

  /** Why the drawing cannot be sent as it is. */
  get obstacle(): string | null {
    if (this.editor.isEmpty) return text.nothingDrawn[this.task.kind](keymap.nameOf("noInfection"));
    return this.editor.isUnchanged ? text.nothingChanged : null;
  }

  update(maskHidden: boolean, confidence: number | null): void {
    this.panel.update(this.editor, maskHidden, confidence);
  }

  /** Keeps the draft when the hand rests. */
  strokeEnded(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.keep(), REST_MS);
  }

  /** Begins a redraw with the candidate in `slot`. */
  startFrom(slot: number): boolean {
    return this.editor.startFrom(slot, enlarge(this.loaded.masks[slot], this.loaded.film));
  }

  rememberBrush(): void {
    localStorage.setItem(BRUSH_KEY, String(this.editor.hand.size / longSide(this.loaded.film)));
  }

  /** Turns the second outline on or off: what the drawing will count as. */
  toggleFinal(): void {
    this.editor.showFinal(this.editor.showsFinal ? null : this.grid);
  }

  /** Keeps the drawing in this browser, and soon on the server. A drawing that was never begun is none. */
  async keep(): Promise<void> {
    clearTimeout(this.timer);
    const { editor } = this;
    this.panel.allowSave(this.obstacle === null);
    if (editor.showsFinal) {
      editor.showFinal(this.grid);
      this.events.repaint();
    }
    if (!editor.canUndo && !editor.canRedo) return;
    await this.autosave.keep({ slot: editor.slot, startedFrom: editor.startedFrom, bits: editor.bits() });
  }

  private get grid(): Size {
    const { grid_width_px: width, grid_height_px: height } = this.loaded.comparison;
    return { width, height };
  }
}

function taskOf({ comparison, masks }: LoadedCase, slot: number | null): Task {
  const asksConfidence = comparison.with_confidence;
  if (comparison.task === "draw") return { kind: "draw", nStarts: 0, asksConfidence };
  if (slot !== null) return { kind: "touchUp", nStarts: 0, asksConfidence };
  return { kind: "redraw", nStarts: comparison.redraw_from_candidate ? masks.length : 0, asksConfidence };
}

/** What the reader sent for the verdict that counts now, if that was a drawing of the same kind. */
async function sentDrawing({ comparison }: LoadedCase, slot: number | null, api: Cabinet["api"]): Promise<DrawingOf | null> {
  if (!comparison.verdict) return null;
  const drawing = await api.drawing(comparison.token);
  return drawing?.slot === slot ? drawing : null;
}

function startOf({ film, masks }: LoadedCase, slot: number | null, earlier: DrawingOf | null): Start {
  const size = { width: film.width, height: film.height };
  const startedFrom = earlier?.startedFrom ?? null;
  const basis = slot ?? startedFrom;
  const origin: Mask = basis === null ? blank(size) : enlarge(masks[basis], size);
  const mask = earlier ? unpack(earlier.bits, size) : { ...origin, pixels: origin.pixels.slice() };
  return { slot, startedFrom, mask, origin };
}

/** The brush's diameter in film pixels: the same share of the film as last time. */
function rememberedBrush(size: Size): number {
  const share = Number(localStorage.getItem(BRUSH_KEY));
  return share > 0 ? Math.max(1, Math.round(share * longSide(size))) : usualBrush(size);
}

function longSide({ width, height }: Size): number {
  return Math.max(width, height);
}
