/** The reading room: which case is before the reader, and what becomes of it. */

import { Api, type Comparison, type Feedback, Refused, SessionEnded } from "./api";
import { base64 } from "./bytes";
import { CONFIDENCES, type Choice, type Decision, type UnreadableReason, type VerdictKind } from "./choice";
import type { Cabinet, Desk } from "./desk";
import { command, h } from "./dom";
import { Drafts } from "./drafts";
import type { Editor } from "./editor";
import { Foresight } from "./foresight";
import { Frame } from "./frame";
import { guideDialog } from "./guide";
import { Keeping } from "./keeping";
import { Keyboard } from "./keyboard";
import { type CaseAction, type ToolAction, isToolAction } from "./keys";
import { text } from "./messages";
import { Outbox, Patience } from "./outbox";
import { type PanelEvents, ReadingPanel } from "./panel";
import { Screen } from "./screen";
import { Sitting } from "./sitting";
import { Studio } from "./studio";
import { View } from "./view";

const RENEW_MS = 240_000;
/** The longest time that the server takes. */
const DAY_MS = 86_400_000;

type Phase = "loading" | "reading" | "sending" | "away";

export class Room implements PanelEvents {
  private readonly api: Api;
  private readonly keeping = new Keeping();
  private readonly patience = new Patience((seconds, forVerdict) => this.waiting(seconds, forVerdict));
  private readonly foresight: Foresight;
  private readonly outbox: Outbox;
  private readonly frame: Frame;
  private readonly screen: Screen;
  private readonly view: View;
  private readonly studio: Studio;
  private phase: Phase = "loading";
  private sitting: Sitting | null = null;
  /** The case that waits while an earlier one is revised; undefined while none is. */
  private current: Sitting | null | undefined;
  private readingPanel: ReadingPanel | null = null;
  private progress = { at: 0, of: 0 };
  private active = true;
  /** Ends what a practice case teaches; null while none does. */
  private goOn: (() => void) | null = null;

  private readonly login: string;
  private readonly reader: string;
  private readonly home: string;

  constructor(root: HTMLElement, csrfToken: string) {
    const { campaign = "", stage = "", api = "", login = "", home = "", reader = "" } = root.dataset;
    this.login = login;
    this.reader = reader;
    this.home = home;
    this.api = new Api(api, csrfToken);
    this.foresight = new Foresight(this.api);
    this.outbox = new Outbox(reader, this.api, this.keeping, this.patience);
    this.frame = new Frame(root, { campaign, stage, home, phantoms: "phantoms" in root.dataset }, () => this.run("guide"));
    this.screen = new Screen(this.frame.stage, {
      onShown: (slots) => this.shown(slots),
      onTap: (slot) => this.select(slot),
      onStroke: () => this.studio.strokeEnded(),
      onBrush: () => this.studio.brushChanged(),
    });
    this.view = new View(this.screen, (message) => this.frame.say(message));
    this.studio = new Studio(this.frame, this.screen, this.view, this.cabinet(), (action) => this.run(action));
    new Keyboard(this, this.view, this.frame);
    document.addEventListener("visibilitychange", () => this.visibilityChanged());
    window.addEventListener("pagehide", () => this.keepDraft());
    window.addEventListener("online", () => this.online());
    window.addEventListener("pointerdown", () => (this.active = true));
    window.addEventListener("keydown", () => (this.active = true));
    setInterval(() => void this.renew(), RENEW_MS);
  }

  private cabinet(): Cabinet {
    const { api, keeping, patience } = this;
    const patient = {
      keepDraft: api.keepDraft.bind(api),
      drawing: (token: string) => patience.until(() => api.drawing(token)),
    };
    return { api: patient, keeping, drafts: new Drafts(api, keeping) };
  }

  /** Sends what an earlier visit left behind, then shows the next case. */
  async start(): Promise<void> {
    await this.attempt(async () => {
      for (const parcel of await this.keeping.parcels(this.reader)) {
        await this.outbox.deliver(parcel);
        await this.keeping.dropDraft(parcel.token);
      }
    });
    await this.next();
  }

  get mode(): "reading" | "drawing" {
    return this.desk ? "drawing" : "reading";
  }

  get choice(): Choice | null {
    const canLook = this.phase === "reading" || this.goOn !== null;
    return canLook && !this.desk ? (this.sitting?.choice ?? null) : null;
  }

  run(action: CaseAction | ToolAction): void {
    if (isToolAction(action)) this.studio.run(action);
    else this.actions[action]();
    this.render();
  }

  private get desk(): Desk | null {
    return this.studio.desk;
  }

  private readonly actions: Readonly<Record<CaseAction, () => void>> = {
    accept: () => void (this.goOn ? this.goOn() : this.desk ? this.saveDrawing() : this.decide("pick")),
    touchUp: () => void this.draw("touch_up"),
    denyAll: () => void this.draw("deny_all"),
    noInfection: () => void this.noInfection(),
    flag: () => void this.flag(),
    previous: () => void (this.studio.takeCornerBack() || this.previous()),
    postpone: () => void this.postpone(),
    takeBack: () => void this.previous(),
    help: () => this.frame.toggleHelp(),
    guide: () => void this.showGuide(),
    leave: () => void (this.studio.cancelLine() || this.leave()),
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

  setConfidence(value: number): void {
    if (!this.choice || !this.sitting?.asksConfidence || value < 1 || value > CONFIDENCES.length) return;
    this.choice.setConfidence(value);
    this.render();
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
    this.studio.update();
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
      await this.show(sitting);
      this.foresight.look(sitting.token);
      this.frame.announce(text.nextReady(this.progress.at, this.progress.of, n_candidates));
    });
  }

  private async load(comparison: Comparison): Promise<Sitting> {
    return new Sitting(await this.patience.until(() => this.foresight.take(comparison)));
  }

  private async show(sitting: Sitting): Promise<void> {
    const shown = this.sitting;
    shown?.leave();
    if (shown !== sitting && shown !== this.current) shown?.close();
    this.sitting = sitting;
    this.studio.drop();
    this.phase = "reading";
    if (!sitting.isDrawn) this.showReadingPanel(new ReadingPanel(sitting.nCandidates, sitting.asksConfidence, this));
    this.frame.setProgress(this.progress.at, this.progress.of);
    this.frame.hush();
    this.screen.open(sitting.loaded, sitting.choice);
    sitting.clock.turn(document.visibilityState === "visible");
    this.render();
    if (sitting.isDrawn) return this.open(sitting, null);
    this.sayRevising();
    void this.studio.offer(sitting, () => this.sitting === sitting, (slot) => void this.restore(sitting, slot));
  }

  private showReadingPanel(panel: ReadingPanel): void {
    this.readingPanel = panel;
    this.frame.panel.replaceChildren(panel.element, this.view.panel.element);
  }

  private allRead(nDecided: number): void {
    this.sitting?.close();
    this.sitting = null;
    this.phase = "away";
    this.progress = { at: nDecided, of: nDecided };
    this.frame.setProgress(nDecided, nDecided);
    this.frame.panel.replaceChildren();
    const back = command(text.previous, "⌫", () => this.run("previous"));
    const overview = h("a", { class: "command primary", href: this.home }, text.overview);
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
      await this.studio.close();
      if (this.current === undefined) this.current = this.sitting;
      await this.show(sitting);
    });
  }

  private sayRevising(): void {
    const verdict = this.sitting?.verdict;
    if (this.current === undefined || !verdict) {
      return this.sitting?.isPractice ? this.frame.showBanner(text.practice) : this.frame.hideBanner();
    }
    const back = { label: text.toCurrent, run: () => void this.toCurrent() };
    this.frame.showBanner(text.revising(verdict.kind, verdict.slot), back);
  }

  private leave(): Promise<void> {
    return this.desk && !this.sitting?.isDrawn ? this.stopDrawing() : this.toCurrent();
  }

  private async toCurrent(): Promise<void> {
    if (this.current === undefined || this.phase !== "reading") return;
    await this.studio.close();
    await this.leaveEarlier();
  }

  private async leaveEarlier(): Promise<void> {
    const sitting = this.current;
    if (!sitting) return this.next();
    this.current = undefined;
    await this.show(sitting);
  }

  private async postpone(): Promise<void> {
    const token = this.sitting?.token;
    if (!token || !this.deciding || this.current !== undefined) return;
    await this.attempt(async () => {
      await this.patience.until(() => this.api.postpone(token));
      await this.studio.close();
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

  /** The choice that a verdict would settle now; null while a candidate is touched up, or nothing is before the reader. */
  private get deciding(): Choice | null {
    const { sitting } = this;
    return this.phase === "reading" && sitting && (!this.desk || sitting.isDrawn) ? sitting.choice : null;
  }

  /** Says what is missing, if something is. */
  private isReady(kind: VerdictKind): boolean {
    const missing = this.deciding?.missing(kind);
    if (missing) this.frame.say("unseen" in missing ? text.unseen(missing.unseen) : text.choose);
    return missing === null;
  }

  private async decide(kind: VerdictKind, reason: UnreadableReason | null = null): Promise<void> {
    if (this.sitting && this.isReady(kind)) await this.send(this.sitting.choice.decide(kind, reason), null);
  }

  private async noInfection(): Promise<void> {
    if (this.desk && !this.desk.editor.isEmpty) return this.frame.say(text.clearFirst);
    await this.decide("no_infection");
  }

  private async flag(): Promise<void> {
    if (!this.deciding) return;
    const reason = await this.frame.askReason();
    if (reason) await this.decide("unreadable", reason);
  }

  private async saveDrawing(): Promise<void> {
    const { desk, sitting } = this;
    if (this.studio.closeLine() || !desk || !sitting || this.phase !== "reading") return;
    this.phase = "sending";
    const isReady = await this.studio.isReady(desk);
    this.phase = "reading";
    const own = sitting.isDrawn ? "drawn" : "deny_all";
    const kind = desk.editor.slot === null ? own : "touch_up";
    if (isReady) await this.send(sitting.choice.decide(kind), desk.editor);
  }

  private async send(decision: Decision, drawn: Editor | null): Promise<void> {
    const { desk, sitting } = this;
    if (!sitting) return;
    const revised = this.current !== undefined;
    this.phase = "sending";
    if (desk) desk.editor.frozen = true;
    await desk?.autosave.hold();
    const body = {
      ...decision,
      visible_ms: Math.min(sitting.clock.elapsed, DAY_MS),
      started_from: drawn?.startedFrom ?? null,
      drawing: drawn && base64(drawn.bits()),
    };
    let feedback: Feedback | null = null;
    if (!(await this.attempt(async () => void (feedback = await this.outbox.send(sitting.token, body))))) {
      if (desk) desk.editor.frozen = false;
      desk?.autosave.release();
      return;
    }
    this.studio.drop();
    await this.keeping.dropDraft(sitting.token);
    this.frame.hideBanner();
    if (feedback) await this.teach(sitting, decision.slot, feedback);
    await (revised ? this.leaveEarlier() : this.next());
    this.frame.say(revised ? text.revised : text.saved(decision.kind, decision.slot));
  }

  /** Shows what was right in a practice case, until the reader goes on; the candidates can be flipped through meanwhile. */
  private async teach({ choice }: Sitting, slot: number | null, { right_slot, dice }: Feedback): Promise<void> {
    const message = text.practiceResult(right_slot, slot, dice);
    if (this.readingPanel) this.showReadingPanel(this.readingPanel);
    this.screen.edit(null);
    choice.select(right_slot);
    const seen = new Promise<void>((resolve) => (this.goOn = resolve));
    this.choiceChanged();
    this.frame.showBanner(message, { label: text.nextCase, key: "↵", run: () => this.goOn?.() });
    this.frame.announce(message);
    await seen;
    this.goOn = null;
    this.frame.hideBanner();
  }

  private async showGuide(): Promise<void> {
    await this.attempt(async () => {
      const guide = await this.patience.until(() => this.api.guide());
      if (guide) this.frame.show(guideDialog(guide));
      else this.frame.say(text.noGuide);
    });
  }

  // Drawing

  private async draw(kind: "touch_up" | "deny_all"): Promise<void> {
    if (!this.sitting || this.desk || !this.isReady(kind)) return;
    await this.open(this.sitting, kind === "touch_up" ? this.sitting.choice.selected : null);
  }

  private async restore({ choice }: Sitting, slot: number | null): Promise<void> {
    for (let one = 0; one < choice.nCandidates; one++) choice.markSeen(one);
    choice.select(slot);
    await this.draw(slot === null ? "deny_all" : "touch_up");
  }

  private async open(sitting: Sitting, slot: number | null): Promise<void> {
    this.phase = "loading";
    await this.attempt(async () => {
      const asks = await this.studio.open(sitting, slot);
      this.phase = "reading";
      if (sitting.isDrawn && !asks) this.sayRevising();
      this.render();
    });
  }

  private async stopDrawing(): Promise<void> {
    if (!this.readingPanel || this.phase !== "reading") return;
    await this.studio.close();
    this.showReadingPanel(this.readingPanel);
    this.screen.edit(null);
    this.sayRevising();
    this.render();
  }

  private keepDraft(): void {
    void this.desk?.keep().then(() => this.desk?.autosave.flush());
  }

  private online(): void {
    this.patience.hurry();
    void this.desk?.autosave.flush();
  }

  // What goes wrong

  /** Runs `work`; says calmly what went wrong. Whether it succeeded. */
  private async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      await this.desk?.keep();
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
    else this.keepDraft();
  }
}
