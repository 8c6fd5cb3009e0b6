/** A verdict, from the reader's wish to the server's answer, and what a practice case teaches after it. */

import type { Feedback } from "./api";
import { base64 } from "./bytes";
import type { Choice, Decision, UnreadableReason, VerdictKind } from "./choice";
import type { Course, Fittings } from "./course";
import type { Editor } from "./editor";
import { hint, keymap } from "./hints";
import { text } from "./messages";
import type { Sitting } from "./sitting";

/** The longest time that the server takes. */
const DAY_MS = 86_400_000;

export class Verdicts {
  /** Ends what a practice case teaches; null while none does. */
  private seen: (() => void) | null = null;

  constructor(
    private readonly fittings: Fittings,
    private readonly course: Course,
    private readonly render: () => void,
  ) {}

  /** Whether a practice case, decided, still shows what was right. */
  get teaches(): boolean {
    return this.seen !== null;
  }

  /** The choice that a verdict would settle now; null while a candidate is touched up, or nothing is before the reader. */
  get deciding(): Choice | null {
    const { phase, present } = this.course;
    return phase === "reading" && present && (!this.fittings.studio.desk || present.isDrawn) ? present.choice : null;
  }

  /** Enter: takes the selected candidate or the drawing, or goes on after practice. */
  async accept(): Promise<void> {
    if (this.seen) this.seen();
    else if (this.fittings.studio.desk) await this.saveDrawing();
    else await this.decide("pick");
  }

  async noInfection(): Promise<void> {
    const { desk } = this.fittings.studio;
    if (desk && !desk.editor.isEmpty) return this.fittings.frame.say(text.clearFirst);
    await this.decide("no_infection");
  }

  async flag(): Promise<void> {
    if (!this.deciding) return;
    const reason = await this.fittings.frame.askReason();
    if (reason) await this.decide("unreadable", reason);
  }

  /** Opens the drawing that a touch-up or a redraw needs. */
  async draw(kind: "touch_up" | "deny_all"): Promise<void> {
    const { present } = this.course;
    if (!present || this.fittings.studio.desk || !this.isReady(kind)) return;
    await this.course.draw(present, kind === "touch_up" ? present.choice.selected : null);
  }

  /** Says what is missing, if something is. */
  private isReady(kind: VerdictKind): boolean {
    const missing = this.deciding?.missing(kind);
    if (missing) this.fittings.frame.say("unseen" in missing ? text.unseen(missing.unseen) : text.choose);
    return missing === null;
  }

  private async decide(kind: VerdictKind, reason: UnreadableReason | null = null): Promise<void> {
    const { present } = this.course;
    if (present && this.isReady(kind)) await this.send(present, present.choice.decide(kind, reason), null);
  }

  private async saveDrawing(): Promise<void> {
    const { studio } = this.fittings;
    const { desk } = studio;
    const { present } = this.course;
    if (studio.closeLine() || !desk || !present || this.course.phase !== "reading") return;
    this.course.phase = "sending";
    const isReady = await studio.isReady(desk);
    this.course.phase = "reading";
    const own = present.isDrawn ? "drawn" : "deny_all";
    const kind = desk.editor.slot === null ? own : "touch_up";
    if (isReady) await this.send(present, present.choice.decide(kind), desk.editor);
  }

  private async send(sitting: Sitting, decision: Decision, drawn: Editor | null): Promise<void> {
    const { line, frame, studio } = this.fittings;
    const { desk } = studio;
    const revised = this.course.isRevising;
    this.course.phase = "sending";
    if (desk) desk.editor.frozen = true;
    await desk?.autosave.hold();
    const body = {
      ...decision,
      visible_ms: Math.min(sitting.clock.elapsed, DAY_MS),
      started_from: drawn?.startedFrom ?? null,
      drawing: drawn && base64(drawn.bits()),
    };
    let feedback: Feedback | null = null;
    if (!(await this.course.attempt(async () => void (feedback = await line.outbox.send(sitting.token, body))))) {
      if (desk) desk.editor.frozen = false;
      desk?.autosave.release();
      return;
    }
    studio.drop();
    await line.keeping.dropDraft(sitting.token);
    frame.hideBanner();
    if (feedback) await this.teach(sitting.choice, decision.slot, feedback);
    await this.course.goOn();
    frame.say(revised ? text.revised : text.saved(decision.kind, decision.slot, keymap.nameOf("previous")));
  }

  /** Shows what was right in a practice case, until the reader goes on; the candidates can be flipped through meanwhile. */
  private async teach(choice: Choice, slot: number | null, { right_slot, dice }: Feedback): Promise<void> {
    const { frame, screen } = this.fittings;
    const message = text.practiceResult(right_slot, slot, dice);
    this.course.showCandidates();
    choice.select(right_slot);
    const seen = new Promise<void>((resolve) => (this.seen = resolve));
    screen.invalidate(false);
    this.render();
    frame.showBanner(message, { label: text.nextCase, key: hint("accept"), run: () => this.seen?.() });
    frame.announce(message);
    await seen;
    this.seen = null;
    frame.hideBanner();
  }
}
