/** The way of a reader through the cases: which one is before them, which one waits, and how they come and go. */

import { type Comparison, Refused } from "./api";
import { command, h } from "./dom";
import type { Frame } from "./frame";
import { hint, keymap } from "./hints";
import type { Line } from "./line";
import { text } from "./messages";
import { type PanelEvents, ReadingPanel } from "./panel";
import type { Screen } from "./screen";
import { Sitting } from "./sitting";
import type { Studio } from "./studio";
import type { View } from "./view";

export type Phase = "loading" | "reading" | "sending" | "away";

/** What a case is read with. */
export interface Fittings {
  readonly line: Line;
  readonly frame: Frame;
  readonly screen: Screen;
  readonly view: View;
  readonly studio: Studio;
  /** The address of the reader's start page. */
  readonly home: string;
}

export interface CourseEvents extends PanelEvents {
  /** Whether the reader can see the screen. */
  readonly isSeen: boolean;
  render(): void;
}

export class Course {
  phase: Phase = "loading";
  /** When the present case came before the reader, on the clock of events. */
  shownAt = 0;
  private sitting: Sitting | null = null;
  /** The case that waits while an earlier one is revised; undefined while none is. */
  private current: Sitting | null | undefined;
  private readingPanel: ReadingPanel | null = null;
  private progress = { at: 0, of: 0 };
  /** The case whose pictures are on their way; null while none is. */
  private coming: string | null = null;

  constructor(
    private readonly fittings: Fittings,
    private readonly room: CourseEvents,
  ) {}

  /** What is before the reader. */
  get present(): Sitting | null {
    return this.sitting;
  }

  get isRevising(): boolean {
    return this.current !== undefined;
  }

  /** Claims the next case and shows it. */
  async next(): Promise<void> {
    const { line, frame } = this.fittings;
    this.phase = "loading";
    this.current = undefined;
    await this.attempt(async () => {
      const comparison = await line.until((api) => api.next());
      if (!comparison) return this.allRead((await line.until((api) => api.history())).length);
      this.coming = comparison.token;
      const sitting = await this.load(comparison);
      this.coming = null;
      const { n_decided, n_left, n_candidates } = comparison;
      this.progress = { at: n_decided + 1, of: n_decided + n_left };
      await this.show(sitting);
      line.foresight.look(sitting.token);
      frame.announce(text.nextReady(this.progress.at, this.progress.of, n_candidates));
    });
  }

  async previous(): Promise<void> {
    const { line, frame, studio } = this.fittings;
    const { phase } = this;
    if (phase !== "reading" && phase !== "away") return;
    this.phase = "loading";
    await this.attempt(async () => {
      const decided = await line.until((api) => api.history());
      const here = decided.findIndex(({ token }) => token === this.sitting?.token);
      const earlier = decided[this.current === undefined ? 0 : here + 1];
      if (!earlier) {
        this.phase = phase;
        return frame.say(text.noPrevious);
      }
      const comparison = await line.until((api) => api.open(earlier.token));
      const sitting = await this.load(comparison);
      await studio.close();
      if (this.current === undefined) this.current = this.sitting;
      await this.show(sitting);
    });
  }

  /** Back from the drawing to the candidates, or from an earlier case to the current one. */
  leave(): Promise<void> {
    return this.fittings.studio.desk && !this.sitting?.isDrawn ? this.stopDrawing() : this.toCurrent();
  }

  /** Goes on after a verdict. */
  async goOn(): Promise<void> {
    const sitting = this.current;
    if (!sitting) return this.next();
    this.current = undefined;
    await this.show(sitting);
  }

  /** Puts the current case off, which must be one that is being decided, or one that could not be shown. */
  async postpone(token = this.sitting?.token): Promise<void> {
    const { line, frame, studio } = this.fittings;
    if (!token || this.isRevising) return;
    await this.attempt(async () => {
      await line.until((api) => api.postpone(token));
      await studio.close();
      await this.next();
      frame.say(text.postponed);
    });
  }

  /** Keeps the current case for another lease. If it cannot be kept, the verdict will hear so. */
  async renew(): Promise<void> {
    const token = (this.current ?? this.sitting)?.token;
    if (token) await this.fittings.line.api.renew(token).catch(() => undefined);
  }

  /** Opens a touch-up of the candidate in `slot`, or a drawing of one's own (null). */
  async draw(sitting: Sitting, slot: number | null): Promise<void> {
    this.phase = "loading";
    await this.attempt(async () => {
      const asks = await this.fittings.studio.open(sitting, slot);
      this.phase = "reading";
      if (sitting.isDrawn && !asks) this.sayRevising();
      this.room.render();
    });
  }

  /** Shows the candidates again, and their panel. */
  showCandidates(): void {
    if (this.readingPanel) this.showReadingPanel(this.readingPanel);
    this.fittings.screen.edit(null);
  }

  /** Runs `work`; says calmly what went wrong. Whether it succeeded. */
  async attempt(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      await this.fittings.studio.desk?.keep();
      this.trouble(error);
      return false;
    }
  }

  /** `isTaught` while a practice case that was decided shows what was right. */
  update(isTaught: boolean): void {
    if (this.sitting) this.readingPanel?.update(this.sitting.choice, isTaught);
  }

  private async load(comparison: Comparison): Promise<Sitting> {
    const { line } = this.fittings;
    return new Sitting(await line.until(() => line.foresight.take(comparison)));
  }

  private async show(sitting: Sitting): Promise<void> {
    const { frame, screen, studio } = this.fittings;
    const shown = this.sitting;
    shown?.leave();
    if (shown !== sitting && shown !== this.current) shown?.close();
    this.sitting = sitting;
    this.shownAt = performance.now();
    studio.drop();
    this.phase = "reading";
    if (!sitting.isDrawn) this.showReadingPanel(new ReadingPanel(sitting.nCandidates, sitting.asksConfidence, this.room));
    frame.setProgress(this.progress.at, this.progress.of);
    frame.offerSerial(sitting.nSerialFilms);
    frame.hush();
    screen.open(sitting.loaded, sitting.choice);
    sitting.clock.turn(this.room.isSeen);
    this.room.render();
    if (sitting.isDrawn) return this.draw(sitting, null);
    this.sayRevising();
    void studio.offer(sitting, () => this.sitting === sitting, (slot) => void this.restore(sitting, slot));
  }

  private showReadingPanel(panel: ReadingPanel): void {
    this.readingPanel = panel;
    this.fittings.frame.showPanel(panel.element, this.fittings.view.panel.element);
  }

  private allRead(nDecided: number): void {
    const { frame, home, screen } = this.fittings;
    screen.leave();
    this.sitting?.close();
    this.sitting = null;
    this.phase = "away";
    this.progress = { at: nDecided, of: nDecided };
    frame.setProgress(nDecided, nDecided);
    frame.offerSerial(0);
    frame.showPanel();
    const back = command(text.previous, hint("previous"), () => this.room.run("previous"));
    const overview = h("a", { class: "command primary", href: home }, text.overview);
    frame.showNotice(text.allRead, text.allReadDetail(nDecided, keymap.nameOf("previous")), ...(nDecided > 0 ? [back] : []), overview);
  }

  private sayRevising(): void {
    const { frame } = this.fittings;
    const { verdict, feedback, isPractice } = this.sitting ?? {};
    if (!this.isRevising || !verdict) return isPractice ? frame.showBanner(text.practice) : frame.hideBanner();
    const back = { label: text.toCurrent, run: () => void this.toCurrent() };
    const taught = feedback ? ` ${text.practiceResult(feedback.right_slot, verdict.slot, feedback.dice)}` : "";
    frame.showBanner(text.revising(verdict.kind, verdict.slot) + taught, back);
  }

  private async toCurrent(): Promise<void> {
    if (!this.isRevising || this.phase !== "reading") return;
    await this.fittings.studio.close();
    await this.goOn();
  }

  private async restore(sitting: Sitting, slot: number | null): Promise<void> {
    const { choice } = sitting;
    for (let one = 0; one < choice.nCandidates; one++) choice.markSeen(one);
    choice.select(slot);
    if (this.phase === "reading" && !this.fittings.studio.desk) await this.draw(sitting, slot);
  }

  private async stopDrawing(): Promise<void> {
    if (!this.readingPanel || this.phase !== "reading") return;
    await this.fittings.studio.close();
    this.showCandidates();
    this.sayRevising();
    this.room.render();
  }

  private trouble(error: unknown): void {
    const { frame } = this.fittings;
    const { coming } = this;
    this.coming = null;
    this.phase = this.sitting && !coming ? "reading" : "away";
    const next = { label: text.nextCase, run: () => void this.next() };
    if (error instanceof Refused) return frame.showBanner(text.refused(error.message, error.hint), next);
    console.error(error);
    frame.showBanner(text.unpaintable, coming ? { label: text.postpone, run: () => void this.postpone(coming) } : next);
  }
}
