/** Where masks are drawn: opens a desk for a case, offers drafts, asks which of two drawings counts. */

import { type Cabinet, Desk, type DeskEvents } from "./desk";
import type { Frame } from "./frame";
import type { Draft } from "./keeping";
import { type CaseAction, type ToolAction, isToolAction } from "./keys";
import { text } from "./messages";
import type { Screen } from "./screen";
import type { Sitting } from "./sitting";
import type { View } from "./view";

export class Studio implements DeskEvents {
  private at: { readonly desk: Desk; readonly sitting: Sitting } | null = null;

  constructor(
    private readonly frame: Frame,
    private readonly screen: Screen,
    private readonly view: View,
    private readonly cabinet: Cabinet,
    private readonly runCase: (action: CaseAction) => void,
  ) {}

  /** The drawing that is open, null if none is. */
  get desk(): Desk | null {
    return this.at?.desk ?? null;
  }

  /** Opens a touch-up of the candidate in `slot`, or a drawing of one's own (null). True if it asks the reader something. */
  async open(sitting: Sitting, slot: number | null): Promise<boolean> {
    if (slot !== null) sitting.choice.select(slot);
    const desk = await Desk.prepare(sitting.loaded, slot, this.cabinet, this);
    this.at = { desk, sitting };
    this.frame.showPanel(desk.panel.element, this.view.panel.element);
    this.frame.hideBanner();
    this.screen.edit(desk.editor);
    this.update();
    const asks = desk.autosave.isStale || (desk.draft !== null && sitting.isDrawn);
    if (desk.autosave.isStale) this.stale();
    else if (asks) this.sayRestored();
    if (desk.goesOn) this.frame.say(text.goesOn);
    else this.frame.announce(text.drawingHint[desk.kind]);
    return asks;
  }

  /** Takes the drawing off the desk; its draft is kept. */
  async close(): Promise<void> {
    const { desk } = this;
    if (!desk) return;
    await desk.keep();
    await desk.autosave.flush();
    await desk.autosave.hold();
    this.drop();
  }

  /** Forgets the drawing on the desk; it was sent, or another case is shown. */
  drop(): void {
    this.at = null;
  }

  update(): void {
    if (this.at) this.at.desk.update(this.screen.maskHidden, this.at.sitting.choice.confidence);
  }

  // The tools

  run(action: CaseAction | ToolAction): void {
    if (!isToolAction(action)) return this.runCase(action);
    if (this.desk) this.use(this.desk, action);
    this.update();
  }

  private use(desk: Desk, action: ToolAction): void {
    const { editor } = desk;
    const { hand } = editor;
    const actions: Readonly<Record<ToolAction, () => boolean | void>> = {
      brush: () => hand.take("brush"),
      lasso: () => hand.take("lasso"),
      polygon: () => hand.take("polygon"),
      eraser: () => void (hand.erasing = !hand.erasing),
      smaller: () => this.screen.resizeBrush(-1),
      larger: () => this.screen.resizeBrush(1),
      fillHoles: () => editor.fillHoles() || this.frame.say(text.noHoles),
      removeSpecks: () => editor.removeSpecks() || this.frame.say(text.noSpecks),
      clear: () => editor.clear(),
      undo: () => editor.undo(),
      redo: () => editor.redo(),
      hideMask: () => void (this.screen.maskHidden = !this.screen.maskHidden),
      asItCounts: () => void (this.at?.sitting.isDrawn && desk.toggleFinal()),
    };
    if (actions[action]() === true) this.strokeEnded();
    this.screen.invalidate(false);
  }

  setBrush(px: number): void {
    this.desk?.editor.hand.resize(px);
    this.brushChanged();
  }

  setConfidence(value: number): void {
    this.at?.sitting.choice.setConfidence(value);
    this.update();
  }

  startFrom(slot: number): void {
    if (this.desk?.startFrom(slot)) this.strokeEnded();
    this.screen.invalidate(false);
    this.update();
  }

  strokeEnded(): void {
    this.desk?.strokeEnded();
    this.update();
  }

  brushChanged(): void {
    this.desk?.rememberBrush();
    this.update();
  }

  /** Enter: closes an open polygon. False if none is open. */
  closeLine(): boolean {
    const hand = this.desk?.editor.hand;
    if (!hand?.isOpen) return false;
    if (hand.close()) this.strokeEnded();
    this.screen.invalidate(false);
    return true;
  }

  /** Escape: gives an open line up. False if none is open. */
  cancelLine(): boolean {
    const cancelled = this.desk?.editor.hand.cancel() ?? false;
    this.screen.invalidate(false);
    return cancelled;
  }

  /** Backspace: takes the last corner back. With the polygon in the hand it does nothing else. */
  takeCornerBack(): boolean {
    const hand = this.desk?.editor.hand;
    hand?.back();
    this.screen.invalidate(false);
    return hand?.tool === "polygon";
  }

  // Drafts

  /** Keeps the drawing everywhere, before it is sent. False if the reader has to choose first, or something is missing. */
  async isReady(desk: Desk): Promise<boolean> {
    if (desk.obstacle) {
      this.frame.say(desk.obstacle);
      return false;
    }
    await desk.keep();
    await desk.autosave.flush();
    if (desk.autosave.isStale) this.stale();
    return !desk.autosave.isStale;
  }

  /** Says that a drawing of this case waits to go on, if it `isShown` still; `restore` opens it. */
  async offer(sitting: Sitting, isShown: () => boolean, restore: (slot: number | null) => void): Promise<void> {
    const { drafts } = this.cabinet;
    const { draft, elsewhere } = await drafts.find(sitting.token);
    if (!draft || this.at || !isShown()) return;
    const take = (one: Draft) => () => void drafts.adopt(one).then(() => restore(one.slot));
    if (elsewhere) {
      const here = { ...draft, revision: elsewhere.revision };
      const actions = [{ label: text.restoreHere, run: take(here) }, { label: text.restoreElsewhere, run: take(elsewhere) }];
      return this.frame.showBanner(text.twoDrafts, ...actions);
    }
    const discard = (): void => {
      this.frame.hideBanner();
      void drafts.discard(draft);
    };
    this.frame.showBanner(text.draftFound, { label: text.restore, run: take(draft) }, { label: text.discard, run: discard });
  }

  repaint(): void {
    this.screen.invalidate(false);
  }

  /** Another drawing of this case is on the server. */
  stale(): void {
    const keep = { label: text.keepThis, run: () => void this.overrule() };
    const take = { label: text.takeOther, run: () => void this.takeOther() };
    this.frame.showBanner(text.stale, keep, take);
  }

  private async overrule(): Promise<void> {
    if (!this.at) return;
    const there = await this.cabinet.drafts.onServer(this.at.sitting.token);
    if (there === undefined) return this.frame.say(text.notNow);
    this.frame.hideBanner();
    await this.at.desk.autosave.overrule(there?.revision ?? null);
  }

  private async takeOther(): Promise<void> {
    if (!this.at) return;
    const { desk, sitting } = this.at;
    const there = await this.cabinet.drafts.onServer(sitting.token);
    if (!there) return this.frame.say(text.notNow);
    await desk.autosave.hold();
    await this.cabinet.drafts.adopt(there);
    await this.open(sitting, there.slot);
  }

  private sayRestored(): void {
    this.frame.showBanner(text.draftRestored, { label: text.discard, run: () => void this.discard() });
  }

  /** Begins anew. */
  private async discard(): Promise<void> {
    if (!this.at) return;
    const { desk, sitting } = this.at;
    const revision = await desk.autosave.hold();
    if (desk.draft) await this.cabinet.drafts.discard({ ...desk.draft, revision });
    await this.open(sitting, desk.editor.slot);
  }
}
