/** The reading room: puts its parts together, and says which part answers what the reader does. */

import { Api } from "./api";
import { CONFIDENCES, type Choice } from "./choice";
import { Course, type CourseEvents } from "./course";
import { Frame } from "./frame";
import { guideDialog } from "./guide";
import { type KeyTarget, Keyboard } from "./keyboard";
import { type CaseAction, type ToolAction, isToolAction } from "./keys";
import { Line } from "./line";
import { text } from "./messages";
import { Screen } from "./screen";
import { Studio } from "./studio";
import { Verdicts } from "./verdicts";
import { View } from "./view";

const RENEW_MS = 240_000;

export class Room implements CourseEvents, KeyTarget {
  private readonly line: Line;
  private readonly frame: Frame;
  private readonly screen: Screen;
  private readonly view: View;
  private readonly studio: Studio;
  private readonly course: Course;
  private readonly verdicts: Verdicts;
  private active = true;

  constructor(root: HTMLElement, csrfToken: string) {
    const { campaign = "", stage = "", api = "", login = "", home = "", reader = "" } = root.dataset;
    this.frame = new Frame(root, { campaign, stage, home, phantoms: "phantoms" in root.dataset }, () => this.run("guide"));
    this.line = new Line(new Api(api, csrfToken), reader, this.frame);
    this.screen = new Screen(this.frame.stage, {
      onShown: (slots) => this.shown(slots),
      onTap: (slot) => this.select(slot),
      onStroke: () => this.studio.strokeEnded(),
      onBrush: () => this.studio.brushChanged(),
    });
    this.view = new View(this.screen, (message) => this.frame.say(message));
    this.studio = new Studio(this.frame, this.screen, this.view, this.line.cabinet, (action) => this.run(action));
    const { line, frame, screen, view, studio } = this;
    const fittings = { line, frame, screen, view, studio, home, login };
    this.course = new Course(fittings, this);
    this.verdicts = new Verdicts(fittings, this.course, () => this.render());
    new Keyboard(this, this.view, this.frame);
    document.addEventListener("visibilitychange", () => this.visibilityChanged());
    window.addEventListener("pagehide", () => this.keepDraft());
    window.addEventListener("online", () => this.online());
    window.addEventListener("pointerdown", () => (this.active = true));
    window.addEventListener("keydown", () => (this.active = true));
    setInterval(() => this.renew(), RENEW_MS);
  }

  /** Sends what an earlier visit left behind, then shows the next case. */
  async start(): Promise<void> {
    await this.course.attempt(() => this.line.deliverOld());
    await this.course.next();
  }

  get mode(): "reading" | "drawing" {
    return this.studio.desk ? "drawing" : "reading";
  }

  get choice(): Choice | null {
    const canLook = this.course.phase === "reading" || this.verdicts.teaches;
    return canLook && !this.studio.desk ? (this.course.present?.choice ?? null) : null;
  }

  run(action: CaseAction | ToolAction): void {
    if (isToolAction(action)) this.studio.run(action);
    else this.actions[action]();
    this.render();
  }

  private readonly actions: Readonly<Record<CaseAction, () => void>> = {
    accept: () => void this.verdicts.accept(),
    touchUp: () => void this.verdicts.draw("touch_up"),
    denyAll: () => void this.verdicts.draw("deny_all"),
    noInfection: () => void this.verdicts.noInfection(),
    flag: () => void this.verdicts.flag(),
    previous: () => void (this.studio.takeCornerBack() || this.course.previous()),
    postpone: () => void (this.verdicts.deciding && this.course.postpone()),
    takeBack: () => void this.course.previous(),
    help: () => this.frame.toggleHelp(),
    guide: () => void this.showGuide(),
    leave: () => void (this.studio.cancelLine() || this.course.leave()),
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
    if (!this.choice || !this.course.present?.asksConfidence || value < 1 || value > CONFIDENCES.length) return;
    this.choice.setConfidence(value);
    this.render();
  }

  render(): void {
    this.course.update();
    this.studio.update();
    this.view.update();
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

  private async showGuide(): Promise<void> {
    await this.course.attempt(async () => {
      const guide = await this.line.until((api) => api.guide());
      if (guide) this.frame.show(guideDialog(guide));
      else this.frame.say(text.noGuide);
    });
  }

  private renew(): void {
    if (this.active) void this.course.renew();
    this.active = false;
  }

  private keepDraft(): void {
    void this.studio.desk?.keep().then(() => this.studio.desk?.autosave.flush());
  }

  private online(): void {
    this.line.patience.hurry();
    void this.studio.desk?.autosave.flush();
  }

  private visibilityChanged(): void {
    const visible = document.visibilityState === "visible";
    this.course.present?.clock.turn(visible);
    if (visible) this.screen.invalidate();
    else this.keepDraft();
  }
}
