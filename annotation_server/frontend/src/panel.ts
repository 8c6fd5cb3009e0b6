/** The controls beside the film: everything a key does, a button does too. */

import type { Choice } from "./choice";
import { confidenceLine } from "./confidence";
import { radios, section, slider } from "./controls";
import { allow, command, h, press, relabel } from "./dom";
import { hint } from "./hints";
import type { CaseAction, ViewAction } from "./keys";
import { text } from "./messages";
import { STYLES, type Look, type Style } from "./overlay";

export interface PanelEvents {
  run(action: CaseAction): void;
  select(slot: number | null): void;
  toggleAlso(slot: number): void;
  setConfidence(value: number): void;
}

export interface ViewEvents {
  run(action: ViewAction): void;
  hideOverlays(hidden: boolean): void;
  setStyle(style: Style): void;
  setOpacity(opacity: number): void;
  setGrid(grid: boolean): void;
}

/** Candidates and verdicts of one comparison. */
export class ReadingPanel {
  readonly element: HTMLElement;
  private readonly group;
  private readonly also: HTMLButtonElement[];
  private readonly accept: HTMLButtonElement;
  private readonly touchUp: HTMLButtonElement;
  private readonly denyAll: HTMLButtonElement;
  private readonly noInfection: HTMLButtonElement;
  private readonly flag: HTMLButtonElement;
  private readonly previous: HTMLButtonElement;
  private readonly postpone: HTMLButtonElement;
  private readonly shown = h("p", { class: "shown" });
  private readonly confidence;

  /** `asksConfidence` where the stage wants to know how sure its readers are. */
  constructor(nCandidates: number, asksConfidence: boolean, events: PanelEvents) {
    const slots = Array.from({ length: nCandidates }, (_, slot) => slot);
    const options = slots.map((slot) => ({ value: slot as number | null, label: `${slot + 1}`, description: text.candidate(slot) }));
    const alone = { value: null, label: "0", description: text.filmAlone };
    this.group = radios("candidates", text.candidates, [alone, ...options], (slot) => events.select(slot));
    this.also = slots.map((slot) => {
      const button = command(`${slot + 1}`, "", () => events.toggleAlso(slot), "mark");
      button.setAttribute("aria-label", `${text.alsoAcceptable}: ${slot + 1}`);
      return button;
    });
    const run = (label: string, action: CaseAction, kind = ""): HTMLButtonElement =>
      command(label, hint(action), () => events.run(action), kind);
    this.accept = run(text.choose, "accept", "primary");
    this.touchUp = run(text.touchUp(null), "touchUp");
    this.denyAll = run(text.denyAll, "denyAll");
    this.noInfection = run(text.noInfection, "noInfection");
    this.flag = run(text.flag, "flag");
    this.previous = run(text.previous, "previous", "quiet");
    this.postpone = run(text.postpone, "postpone", "quiet");
    this.confidence = confidenceLine(asksConfidence, (value) => events.setConfidence(value));
    const marks = h("div", { class: "marks" }, h("span", {}, text.alsoAcceptable), ...this.also);
    this.element = h(
      "div",
      { class: "block" },
      section(text.candidates, this.group.element, this.shown, this.accept, marks),
      ...this.confidence.elements,
      h("div", { class: "stack" }, this.touchUp, this.denyAll),
      h("div", { class: "pair" }, this.noInfection, this.flag),
      h("div", { class: "pair" }, this.previous, this.postpone),
    );
  }

  /** `isTaught` while a practice case that was decided shows what was right. */
  update(choice: Choice, isTaught: boolean): void {
    const { selected, unseen } = choice;
    this.group.check(selected);
    this.confidence.check(choice.confidence);
    this.group.inputs.slice(1).forEach((input, slot) => {
      const seen = !unseen.includes(slot);
      input.parentElement?.classList.toggle("seen", seen);
      input.parentElement?.classList.toggle("shown-now", choice.shown === slot);
      input.setAttribute("aria-label", `${text.candidate(slot)}, ${seen ? text.seen : text.notSeen}`);
    });
    this.shown.textContent = unseen.length > 0 ? text.unseen(unseen) : text.allShown;
    this.shown.classList.toggle("complete", unseen.length === 0);
    const accept = selected === null ? text.choose : text.accept(selected);
    relabel(this.accept, isTaught ? text.nextCase : accept);
    relabel(this.touchUp, text.touchUp(selected));
    allow(this.accept, isTaught || choice.missing("pick") === null);
    allow(this.touchUp, !isTaught && choice.missing("touch_up") === null);
    allow(this.denyAll, !isTaught && choice.missing("deny_all") === null);
    allow(this.noInfection, !isTaught && choice.missing("no_infection") === null);
    for (const button of [this.flag, this.previous, this.postpone]) allow(button, !isTaught);
    this.also.forEach((button, slot) => {
      press(button, choice.alsoAcceptable.includes(slot));
      allow(button, !isTaught && slot !== selected);
    });
  }
}

export interface ViewState {
  readonly look: Look;
  readonly grid: boolean;
  readonly disagreement: boolean;
  readonly lungs: boolean;
  readonly contrast: boolean;
  readonly inverted: boolean;
  /** Whether a plain drag changes window and level. */
  readonly shading: boolean;
  readonly drawing: boolean;
}

/** How the film and the masks over it look. */
export class ViewPanel {
  readonly element: HTMLElement;
  private readonly layout;
  private readonly styles;
  private readonly opacity = slider(text.opacity, "opacity", { min: 0.1, max: 1, step: 0.1 });
  private readonly disagreement: HTMLButtonElement;
  private readonly lungs: HTMLButtonElement;
  private readonly contrast: HTMLButtonElement;
  private readonly invert: HTMLButtonElement;
  private readonly layoutLine: HTMLElement;

  constructor(events: ViewEvents) {
    const views = [
      { value: false, label: text.large, description: text.large },
      { value: true, label: text.grid, description: text.grid },
    ];
    const styles = STYLES.map((style) => ({ value: style, label: text.styles[style], description: text.styles[style] }));
    this.layout = radios("layout", text.layout, views, (grid) => events.setGrid(grid));
    this.styles = radios("styles", text.overlay, styles, (style) => events.setStyle(style));
    this.opacity.addEventListener("input", () => events.setOpacity(this.opacity.valueAsNumber));
    const run = (label: string, action: ViewAction, kind = "quiet"): HTMLButtonElement =>
      command(label, hint(action), () => events.run(action), kind);
    this.disagreement = run(text.disagreement, "disagreement");
    this.lungs = run(text.lungs, "lungs");
    this.contrast = run(text.contrast, "contrast", "quiet in-touchbar");
    this.invert = run(text.invert, "invert", "quiet in-touchbar");
    this.layoutLine = h("div", { class: "line" }, this.layout.element, hint("toggleGrid"));
    this.element = section(
      text.view,
      this.layoutLine,
      h("div", { class: "line" }, this.styles.element, hint("overlayStyle")),
      h("div", { class: "line" }, h("span", {}, text.opacity), this.opacity, hint("lessOpaque", "moreOpaque")),
      h("div", { class: "trio" }, run(text.autoWindow, "autoWindow", "quiet in-touchbar"), this.contrast, this.lungs),
      h("div", { class: "trio" }, this.disagreement, this.invert, run(text.reset, "reset", "quiet in-touchbar")),
    );
    this.element.classList.add("view");
  }

  update(state: ViewState): void {
    this.layout.check(state.grid);
    this.styles.check(state.look.style);
    this.opacity.value = `${state.look.opacity}`;
    press(this.disagreement, state.disagreement);
    press(this.lungs, state.lungs);
    press(this.contrast, state.contrast);
    press(this.invert, state.inverted);
    this.layoutLine.hidden = state.drawing;
    this.disagreement.hidden = state.drawing;
  }
}
