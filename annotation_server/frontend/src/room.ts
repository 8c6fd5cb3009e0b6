/** The reading room: puts its parts together, and says which part answers what the reader does. */

import { Api } from "./api";
import { CONFIDENCES, type Choice } from "./choice";
import { Course, type CourseEvents } from "./course";
import { Frame } from "./frame";
import { guideDialog } from "./guide";
import { keymap, learnLayout } from "./hints";
import { Idle } from "./idle";
import { type KeyTarget, Keyboard } from "./keyboard";
import { type CaseAction, type ToolAction, isToolAction } from "./keys";
import { Line } from "./line";
import { Lock, type LockEvents } from "./lock";
import { text } from "./messages";
import { Screen } from "./screen";
import { serialDialog } from "./serial";
import { Session } from "./session";
import { Studio } from "./studio";
import { Verdicts } from "./verdicts";
import { View } from "./view";

const MINUTE_MS = 60_000;
const RENEW_MS = 4 * MINUTE_MS;

export class Room implements CourseEvents, KeyTarget, LockEvents {
  private readonly lock: Lock;
  private readonly line: Line;
  private readonly frame: Frame;
  private readonly screen: Screen;
  private readonly view: View;
  private readonly studio: Studio;
  private readonly course: Course;
  private readonly verdicts: Verdicts;
  private active = true;

  constructor(root: HTMLElement, csrfToken: string) {
    const { campaign = "", stage = "", api = "", login = "", logout = "", home = "", reader = "" } = root.dataset;
    const session = new Session(reader, csrfToken, login, logout);
    const idle = new Idle(Number(root.dataset.idleMinutes) * MINUTE_MS, localStorage);
    this.frame = new Frame(root, { campaign, stage, home, phantoms: "phantoms" in root.dataset }, (action) => this.run(action));
    this.lock = new Lock(root, idle, session, login, this);
    this.line = new Line(new Api(api, session, () => this.lock.ended()), reader, this.frame);
    const isSeen = (): boolean => this.isSeen;
    this.screen = new Screen(this.frame.stage, {
      get isSeen() {
        return isSeen();
      },
      onShown: (slots) => this.shown(slots),
      onTap: (slot) => this.select(slot),
      onStroke: () => this.studio.strokeEnded(),
      onBrush: () => this.studio.brushChanged(),
    });
    this.view = new View(this.screen, (message) => this.frame.say(message));
    this.frame.lay(this.view.touchbar.element);
    this.studio = new Studio(this.frame, this.screen, this.view, this.line.cabinet, (action) => this.run(action));
    const { line, frame, screen, view, studio } = this;
    const fittings = { line, frame, screen, view, studio, home };
    this.course = new Course(fittings, this);
    this.verdicts = new Verdicts(fittings, this.course, () => this.render());
    new Keyboard(this, this.view, this.frame);
    this.spareNextCase();
    document.addEventListener("visibilitychange", () => this.visibilityChanged());
    window.addEventListener("pagehide", () => void this.keepDraft());
    window.addEventListener("online", () => this.online());
    window.addEventListener("pointerdown", () => (this.active = true));
    window.addEventListener("keydown", () => (this.active = true));
    setInterval(() => this.renew(), RENEW_MS);
    void learnLayout();
  }

  /** Sends what an earlier visit left behind, then shows the next case. */
  async start(): Promise<void> {
    let isRefused = false;
    await this.course.attempt(async () => void (isRefused = await this.line.deliverOld()));
    await this.course.next();
    if (isRefused) this.frame.showBanner(text.tooLate);
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
    help: () => this.frame.showHelp(),
    guide: () => void this.showGuide(),
    serial: () => void this.showSerial(),
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
    const { phase, present } = this.course;
    if (phase !== "reading" || !present?.asksConfidence || value < 1 || value > CONFIDENCES.length) return;
    present.choice.setConfidence(value);
    this.render();
  }

  render(): void {
    this.course.update(this.verdicts.teaches);
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

  private async showSerial(): Promise<void> {
    const { present } = this.course;
    if (!present?.nSerialFilms) return this.frame.say(text.noSerial);
    await this.course.attempt(async () => {
      const films = await this.line.until((api) => api.serial(present.token));
      if (films.length < 2) this.frame.say(text.noSerial);
      else if (present === this.course.present) {
        const fetchFilm = (url: string): Promise<Blob> => this.line.until((api) => api.media(url));
        this.frame.show(serialDialog(films, fetchFilm, (code) => code === keymap.codeOf("serial")));
      }
    });
  }

  /** The rest of a double click that decided a case is not meant for the next one. */
  private spareNextCase(): void {
    let beganAt = 0;
    const guard = (event: MouseEvent): void => {
      if (event.detail <= 1) beganAt = event.timeStamp;
      else if (beganAt < this.course.shownAt) event.stopPropagation();
    };
    this.frame.panel.addEventListener("click", guard, { capture: true });
  }

  private renew(): void {
    if (this.active) void this.course.renew();
    this.active = false;
  }

  private async keepDraft(): Promise<void> {
    await this.studio.desk?.keep();
    await this.studio.desk?.autosave.flush();
  }

  private online(): void {
    this.line.patience.hurry();
    void this.studio.desk?.autosave.flush();
  }

  get isSeen(): boolean {
    return document.visibilityState === "visible" && !this.lock.isShut;
  }

  private visibilityChanged(): void {
    this.course.present?.clock.turn(this.isSeen);
    if (this.isSeen) this.screen.invalidate();
    else void this.keepDraft();
  }

  turned(): void {
    this.visibilityChanged();
    if (!this.lock.isShut) void this.course.renew();
  }

  async leaving(): Promise<void> {
    await Promise.all([this.keepDraft(), this.course.renew()]);
  }
}
