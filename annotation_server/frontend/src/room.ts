/** The reading room: which case is before the reader, and what becomes of it. */

import { Api, type Comparison, Refused, SessionEnded } from "./api";
import type { Choice, Decision, UnreadableReason, VerdictKind } from "./choice";
import { Desk } from "./desk";
import { command, h } from "./dom";
import { loadCase } from "./film";
import { Frame } from "./frame";
import { Keeping } from "./keeping";
import { Keyboard } from "./keyboard";
import type { CaseAction } from "./keys";
import { text } from "./messages";
import { Outbox, Patience, base64 } from "./outbox";
import { type PanelEvents, ReadingPanel } from "./panel";
import { Screen } from "./screen";
import { Sitting } from "./sitting";
import { View } from "./view";

const RENEW_MS = 240_000;
/** The longest time that the server takes. */
const DAY_MS = 86_400_000;

type Phase = "loading" | "reading" | "sending" | "away";

export class Room implements PanelEvents {
  private readonly api: Api;
  private readonly keeping = new Keeping();
  private readonly patience = new Patience((seconds, forVerdict) => this.waiting(seconds, forVerdict));
  private readonly outbox: Outbox;
  private readonly frame: Frame;
  private readonly screen: Screen;
  private readonly view: View;
  private phase: Phase = "loading";
  private sitting: Sitting | null = null;
  /** The case that waits while an earlier one is revised; undefined while none is. */
  private current: Sitting | null | undefined;
  private readingPanel: ReadingPanel | null = null;
  private desk: Desk | null = null;
  private progress = { at: 0, of: 0 };
  private active = true;

  private readonly login: string;

  constructor(root: HTMLElement, csrfToken: string) {
    const { campaign = "", stage = "", api = "", login = "" } = root.dataset;
    this.login = login;
    this.api = new Api(api, csrfToken);
    this.outbox = new Outbox(this.api, this.keeping, this.patience);
    this.frame = new Frame(root, { campaign, stage, phantoms: "phantoms" in root.dataset });
    this.screen = new Screen(this.frame.stage, {
      onShown: (slots) => this.shown(slots),
      onTap: (slot) => this.select(slot),
      onStroke: () => this.strokeEnded(),
      onBrush: () => this.brushChanged(),
    });
    this.view = new View(this.screen, () => this.frame.say(text.noDisagreement));
    new Keyboard(this, this.view, this.frame);
    document.addEventListener("visibilitychange", () => this.visibilityChanged());
    window.addEventListener("pagehide", () => void this.desk?.keepDraft());
    window.addEventListener("online", () => this.patience.hurry());
    window.addEventListener("pointerdown", () => (this.active = true));
    window.addEventListener("keydown", () => (this.active = true));
    setInterval(() => void this.renew(), RENEW_MS);
  }

  /** Sends what an earlier visit left behind, then shows the next case. */
  async start(): Promise<void> {
    await this.attempt(async () => {
      for (const parcel of await this.keeping.parcels()) {
        await this.outbox.deliver(parcel);
        await this.keeping.draftSent(parcel.token);
      }
    });
    await this.next();
  }

  get mode(): "reading" | "drawing" {
    return this.desk ? "drawing" : "reading";
  }

  get choice(): Choice | null {
    return this.phase === "reading" && !this.desk ? (this.sitting?.choice ?? null) : null;
  }

  run(action: CaseAction): void {
    this.actions[action]();
    this.render();
  }

  private readonly actions: Readonly<Record<CaseAction, () => void>> = {
    accept: () => void (this.desk ? this.saveDrawing() : this.decide("pick")),
    touchUp: () => void this.draw("touch_up"),
    denyAll: () => void this.draw("deny_all"),
    noInfection: () => void this.decide("no_infection"),
    flag: () => void this.flag(),
    previous: () => void this.previous(),
    postpone: () => void this.postpone(),
    takeBack: () => (this.desk ? this.redrawn(this.desk.editor.undo()) : void this.previous()),
    redo: () => this.redrawn(this.desk?.editor.redo() ?? false),
    help: () => this.frame.toggleHelp(),
    leave: () => void (this.desk ? this.stopDrawing() : this.toCurrent()),
    brush: () => this.setErasing(false),
    eraser: () => this.setErasing(true),
    smaller: () => this.screen.resizeBrush(-1),
    larger: () => this.screen.resizeBrush(1),
  };

  select(slot: number | null): void {
    this.choice?.select(slot);
    this.choiceChanged();
  }

  /** Shows a slot while its key is held; undefined ends it. */
  flip(slot: number | null | undefined): void {
    this.choice?.flip(slot);
    this.choiceChanged();
  }

  toggleAlso(slot: number): void {
    if (!this.choice) return;
    const marked = this.choice.toggleAlso(slot);
    this.choiceChanged();
    this.frame.announce(marked ? text.alsoMarked(this.choice.alsoAcceptable) : text.alsoIsSelected);
  }

  setBrush(px: number): void {
    this.desk?.editor.resize(px);
    this.brushChanged();
  }

  clear(): void {
    this.redrawn(this.desk?.editor.clear() ?? false);
  }

  private setErasing(erasing: boolean): void {
    if (this.desk) this.desk.editor.erasing = erasing;
  }

  private choiceChanged(): void {
    this.screen.invalidate(false);
    this.render();
  }

  private shown(slots: readonly number[]): void {
    const choice = this.choice;
    if (!choice) return;
    const before = choice.unseen.length;
    for (const slot of slots) choice.markSeen(slot);
    if (choice.unseen.length < before) this.render();
    if (slots.length === 1) this.frame.announce(text.showing(slots[0], choice.unseen));
  }

  private render(): void {
    if (this.sitting) this.readingPanel?.update(this.sitting.choice);
    this.desk?.update();
    this.view.update();
  }

  // The way of a case

  /** Claims the next case and shows it. */
  private async next(): Promise<void> {
    this.phase = "loading";
    this.current = undefined;
    await this.attempt(async () => {
      const comparison = await this.patience.until(() => this.api.next());
      if (!comparison) return this.allRead((await this.patience.until(() => this.api.history())).length);
      const sitting = await this.load(comparison);
      const { n_decided, n_left, n_candidates } = comparison;
      this.progress = { at: n_decided + 1, of: n_decided + n_left };
      this.show(sitting);
      this.frame.announce(text.nextReady(this.progress.at, this.progress.of, n_candidates));
    });
  }

  private async load(comparison: Comparison): Promise<Sitting> {
    return new Sitting(await this.patience.until(() => loadCase(this.api, comparison)));
  }

  private show(sitting: Sitting): void {
    const shown = this.sitting;
    shown?.leave();
    if (shown !== sitting && shown !== this.current) shown?.close();
    this.sitting = sitting;
    this.desk = null;
    this.phase = "reading";
    this.readingPanel = new ReadingPanel(sitting.nCandidates, this);
    this.frame.panel.replaceChildren(this.readingPanel.element, this.view.panel.element);
    this.frame.setProgress(this.progress.at, this.progress.of);
    this.frame.hush();
    this.screen.open(sitting.loaded, sitting.choice);
    sitting.clock.turn(document.visibilityState === "visible");
    this.render();
    void this.offerDraft(sitting);
  }

  private allRead(nDecided: number): void {
    this.sitting?.close();
    this.sitting = null;
    this.phase = "away";
    this.progress = { at: nDecided, of: nDecided };
    this.frame.setProgress(nDecided, nDecided);
    this.frame.panel.replaceChildren();
    const back = command(text.previous, "⌫", () => this.run("previous"));
    const overview = h("a", { class: "command primary", href: "/" }, text.overview);
    this.frame.showNotice(text.allRead, text.allReadDetail(nDecided), ...(nDecided > 0 ? [back] : []), overview);
  }

  private async previous(): Promise<void> {
    const { phase } = this;
    if (phase !== "reading" && phase !== "away") return;
    this.phase = "loading";
    await this.attempt(async () => {
      const decided = await this.patience.until(() => this.api.history());
      const here = decided.findIndex(({ token }) => token === this.sitting?.token);
      const earlier = decided[this.current === undefined ? 0 : here + 1];
      if (!earlier) {
        this.phase = phase;
        return this.frame.say(text.noPrevious);
      }
      const comparison = await this.patience.until(() => this.api.open(earlier.token));
      const sitting = await this.load(comparison);
      if (this.current === undefined) this.current = this.sitting;
      this.show(sitting);
      this.sayRevising();
    });
  }

  private sayRevising(): void {
    const verdict = this.sitting?.verdict;
    if (this.current === undefined || !verdict) return this.frame.hideBanner();
    const back = { label: text.toCurrent, run: () => void this.toCurrent() };
    this.frame.showBanner(text.revising(verdict.kind, verdict.slot), back);
  }

  private async toCurrent(): Promise<void> {
    if (this.current === undefined || this.phase !== "reading") return;
    await this.leaveEarlier();
  }

  private async leaveEarlier(): Promise<void> {
    const sitting = this.current;
    if (!sitting) return this.next();
    this.show(sitting);
    this.current = undefined;
    this.frame.hideBanner();
  }

  private async postpone(): Promise<void> {
    const token = this.sitting?.token;
    if (!token || this.phase !== "reading" || this.desk || this.current !== undefined) return;
    await this.attempt(async () => {
      await this.patience.until(() => this.api.postpone(token));
      await this.next();
      this.frame.say(text.postponed);
    });
  }

  private async renew(): Promise<void> {
    const token = (this.current ?? this.sitting)?.token;
    if (!token || !this.active) return;
    this.active = false;
    await this.attempt(() => this.api.renew(token).catch((error: unknown) => {
      if (error instanceof SessionEnded) throw error;
    })); // prettier-ignore
  }

  // Verdicts

  /** Says what is missing, if something is. */
  private isReady(kind: VerdictKind): boolean {
    const missing = this.choice?.missing(kind);
    if (missing) this.frame.say("unseen" in missing ? text.unseen(missing.unseen) : text.choose);
    return missing === null;
  }

  private async decide(kind: VerdictKind, reason: UnreadableReason | null = null): Promise<void> {
    if (this.sitting && this.isReady(kind)) await this.send(this.sitting.choice.decide(kind, reason), null);
  }

  private async flag(): Promise<void> {
    if (!this.choice) return;
    const reason = await this.frame.askReason();
    if (reason) await this.decide("unreadable", reason);
  }

  private async saveDrawing(): Promise<void> {
    if (!this.desk || !this.sitting || this.phase !== "reading") return;
    const { editor, obstacle } = this.desk;
    if (obstacle) return this.frame.say(obstacle);
    await this.desk.keepDraft();
    await this.send(this.sitting.choice.decide(editor.slot === null ? "deny_all" : "touch_up"), editor.bits());
  }

  private async send(decision: Decision, bits: Uint8Array | null): Promise<void> {
    if (!this.sitting) return;
    const { token } = this.sitting;
    const revised = this.current !== undefined;
    this.phase = "sending";
    if (this.desk) this.desk.editor.frozen = true;
    const drawing = bits && base64(bits);
    const body = { ...decision, confidence: null, visible_ms: Math.min(this.sitting.clock.elapsed, DAY_MS), drawing };
    const sent = await this.attempt(() => this.outbox.send(token, body));
    if (this.desk) this.desk.editor.frozen = sent;
    if (!sent) return;
    this.desk = null;
    if (bits) await this.keeping.draftSent(token);
    else await this.keeping.dropDraft(token);
    this.frame.hideBanner();
    await (revised ? this.leaveEarlier() : this.next());
    this.frame.say(revised ? text.revised : text.saved(decision.kind, decision.slot));
  }

  // Drawing

  private async draw(kind: "touch_up" | "deny_all"): Promise<void> {
    const { sitting } = this;
    if (!sitting || !this.isReady(kind)) return;
    const slot = kind === "touch_up" ? sitting.choice.selected : null;
    this.phase = "loading";
    await this.attempt(async () => {
      const desk = await Desk.prepare(sitting.loaded, slot, this.keeping, this);
      this.phase = "reading";
      this.desk = desk;
      this.frame.panel.replaceChildren(desk.panel.element, this.view.panel.element);
      this.frame.hideBanner();
      this.screen.edit(desk.editor);
      this.render();
      if (desk.goesOn) this.frame.say(text.goesOn);
      else this.frame.announce(slot === null ? text.drawingHint : text.touchUpHint);
    });
  }

  private async stopDrawing(): Promise<void> {
    if (!this.desk || !this.readingPanel || this.phase !== "reading") return;
    await this.desk.keepDraft();
    this.desk = null;
    this.frame.panel.replaceChildren(this.readingPanel.element, this.view.panel.element);
    this.screen.edit(null);
    this.sayRevising();
    this.render();
  }

  private redrawn(changed: boolean): void {
    if (!changed) return;
    this.screen.invalidate(false);
    this.strokeEnded();
  }

  private strokeEnded(): void {
    this.desk?.strokeEnded();
    this.render();
  }

  private brushChanged(): void {
    this.desk?.rememberBrush();
    this.render();
  }

  private async offerDraft(sitting: Sitting): Promise<void> {
    const { choice, token } = sitting;
    const draft = await this.keeping.draft(token);
    if (!draft || draft.sent || this.sitting !== sitting) return;
    const restore = (): void => {
      for (let slot = 0; slot < choice.nCandidates; slot++) choice.markSeen(slot);
      choice.select(draft.slot);
      void this.draw(draft.slot === null ? "deny_all" : "touch_up");
    };
    const discard = (): void => {
      this.frame.hideBanner();
      void this.keeping.dropDraft(token);
    };
    this.frame.showBanner(text.draftFound, { label: text.restore, run: restore }, { label: text.discard, run: discard });
  }

  // What goes wrong

  /** Runs `work`; says calmly what went wrong. Whether it succeeded. */
  private async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      await this.desk?.keepDraft();
      this.trouble(error);
      return false;
    }
  }

  private trouble(error: unknown): void {
    const next = { label: text.nextCase, run: () => void this.next() };
    if (error instanceof SessionEnded) {
      this.frame.showBanner(text.sessionEnded, { label: text.signIn, run: () => location.assign(this.login) });
    } else {
      if (!(error instanceof Refused)) console.error(error);
      const message = error instanceof Refused ? text.refused(error.message, error.hint) : text.unpaintable;
      this.frame.showBanner(message, next);
      this.phase = this.sitting ? "reading" : "away";
    }
  }

  private waiting(seconds: number | null, forVerdict: boolean): void {
    if (seconds === null) return this.frame.hideBanner();
    const message = forVerdict ? text.waiting(seconds) : text.unreachable(seconds);
    this.frame.showBanner(message, { label: text.tryNow, run: () => this.patience.hurry() });
  }

  private visibilityChanged(): void {
    const visible = document.visibilityState === "visible";
    this.sitting?.clock.turn(visible);
    if (visible) this.screen.invalidate();
    else void this.desk?.keepDraft();
  }
}
