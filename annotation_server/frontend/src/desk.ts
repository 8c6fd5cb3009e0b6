/** The drawing on the desk: the editor with its tools, the draft that is kept, the brush that is remembered. */

import { Editor, usualBrush } from "./editor";
import type { LoadedCase } from "./film";
import type { Keeping } from "./keeping";
import { type Mask, type Size, blank, enlarge, unpack } from "./mask";
import { text } from "./messages";
import { DrawingPanel, type PanelEvents } from "./panel";

const AUTOSAVE_MS = 300;
const BRUSH_KEY = "overread.brush";

export class Desk {
  private timer = 0;

  private constructor(
    readonly editor: Editor,
    readonly panel: DrawingPanel,
    /** Whether it goes on from an earlier drawing. */
    readonly goesOn: boolean,
    private readonly loaded: LoadedCase,
    private readonly keeping: Keeping,
  ) {}

  /** A touch-up of the candidate in `slot`, or a redraw (null); it goes on from the draft of the same, if there is one. */
  static async prepare(loaded: LoadedCase, slot: number | null, keeping: Keeping, events: PanelEvents): Promise<Desk> {
    const { film, masks, comparison } = loaded;
    const size = { width: film.width, height: film.height };
    const draft = await keeping.draft(comparison.token);
    const origin: Mask = slot === null ? blank(size) : enlarge(masks[slot], size);
    const goesOn = draft?.slot === slot;
    const mask = goesOn && draft ? unpack(draft.bits, size) : { ...origin, pixels: origin.pixels.slice() };
    const editor = new Editor({ slot, mask, origin }, rememberedBrush(size));
    const desk = new Desk(editor, new DrawingPanel(editor, events), goesOn, loaded, keeping);
    desk.panel.allowSave(desk.obstacle === null);
    return desk;
  }

  /** Why the drawing cannot be sent as it is. */
  get obstacle(): string | null {
    if (this.editor.isEmpty) return text.nothingDrawn;
    return this.editor.isUnchanged ? text.nothingChanged : null;
  }

  update(): void {
    this.panel.update(this.editor);
  }

  /** Keeps the draft when the hand rests. */
  strokeEnded(): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.keepDraft(), AUTOSAVE_MS);
  }

  rememberBrush(): void {
    localStorage.setItem(BRUSH_KEY, String(this.editor.size / longSide(this.loaded.film)));
  }

  async keepDraft(): Promise<void> {
    clearTimeout(this.timer);
    this.panel.allowSave(this.obstacle === null);
    if (this.editor.isUnchanged) return;
    const { film, comparison } = this.loaded;
    const now = new Date();
    await this.keeping.keepDraft({
      token: comparison.token,
      slot: this.editor.slot,
      width: film.width,
      height: film.height,
      bits: this.editor.bits(),
      savedAt: now.getTime(),
      sent: false,
    });
    this.panel.sayKept(now.toLocaleTimeString());
  }
}

/** The brush's diameter in film pixels: the same share of the film as last time. */
function rememberedBrush(size: Size): number {
  const share = Number(localStorage.getItem(BRUSH_KEY));
  return share > 0 ? Math.max(1, Math.round(share * longSide(size))) : usualBrush(size);
}

function longSide({ width, height }: Size): number {
  return Math.max(width, height);
}
