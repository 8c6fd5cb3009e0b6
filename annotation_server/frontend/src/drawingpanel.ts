/** The tools beside the film while a mask is drawn. */

import type { Whereabouts } from "./autosave";
import { confidenceLine } from "./confidence";
import { radios, section, slider } from "./controls";
import { allow, command, h, press } from "./dom";
import type { Editor } from "./editor";
import { TOOLS, type Tool } from "./hand";
import { hint } from "./hints";
import type { CaseAction, ToolAction } from "./keys";
import { text } from "./messages";

export interface DrawingEvents {
  run(action: CaseAction | ToolAction): void;
  setBrush(px: number): void;
  startFrom(slot: number): void;
  setConfidence(value: number): void;
}

/** What a drawing is for: a touch-up of a candidate, a redraw after denying all, or a film without candidates. */
export interface Task {
  readonly kind: "touchUp" | "redraw" | "draw";
  /** The candidates that a redraw may start from. */
  readonly nStarts: number;
  readonly asksConfidence: boolean;
}

export class DrawingPanel {
  readonly element: HTMLElement;
  private readonly tools;
  private readonly size: HTMLInputElement;
  private readonly readout = h("output", { for: "brush-size" });
  private readonly erase: HTMLButtonElement;
  private readonly undo: HTMLButtonElement;
  private readonly redo: HTMLButtonElement;
  private readonly hide: HTMLButtonElement;
  private readonly final: HTMLButtonElement;
  private readonly save: HTMLButtonElement;
  private readonly starts: readonly HTMLButtonElement[];
  private readonly confidence;
  private readonly kept = h("p", { class: "kept", role: "status" });

  constructor(task: Task, editor: Editor, events: DrawingEvents) {
    const tools = TOOLS.map((tool) => ({ value: tool, label: toolLabel(tool), description: text.tools[tool] }));
    const run = (label: string, action: CaseAction | ToolAction, kind = ""): HTMLButtonElement =>
      command(label, hint(action), () => events.run(action), kind);
    this.tools = radios<Tool>("tools", text.toolsLabel, tools, (tool) => events.run(tool));
    this.erase = run(text.erase, "eraser");
    this.hide = run(text.hideMask, "hideMask");
    this.size = slider(text.size, "brush-size", { min: 1, max: editor.hand.largest, step: 1 });
    this.size.addEventListener("input", () => events.setBrush(this.size.valueAsNumber));
    this.undo = run(text.undo, "undo");
    this.redo = run(text.redo, "redo");
    this.final = run(text.asItCounts, "asItCounts");
    this.save = run(text.save, "accept", "primary");
    this.starts = Array.from({ length: task.nStarts }, (_, slot) => {
      const button = command(`${slot + 1}`, "", () => events.startFrom(slot), "mark");
      button.setAttribute("aria-label", text.startFrom(slot));
      return button;
    });
    const starts = h("div", { class: "marks" }, h("span", {}, text.startFromLabel), ...this.starts);
    this.confidence = confidenceLine(task.asksConfidence, (value) => events.setConfidence(value));
    const isFilm = task.kind === "draw";
    this.element = h(
      "div",
      { class: "block drawing-panel" },
      section(
        editor.slot === null ? text.drawing[task.kind] : text.touchUp(editor.slot),
        h("p", { class: "shown" }, text.drawingHint[task.kind]),
        ...(task.nStarts > 0 ? [starts] : []),
        this.tools.element,
        h("div", { class: "line" }, h("span", {}, text.size), this.size, this.readout),
        h("div", { class: "pair" }, this.erase, this.hide),
        h("div", { class: "pair" }, this.undo, this.redo),
        h("div", { class: "pair" }, run(text.fillHoles, "fillHoles"), run(text.removeSpecks, "removeSpecks")),
        h("div", { class: isFilm ? "pair" : "stack" }, ...(isFilm ? [this.final] : []), run(text.clear, "clear")),
      ),
      ...this.confidence.elements,
      this.save,
      ...(isFilm ? filmCommands(run) : [run(text.back, "leave", "quiet")]),
      this.kept,
    );
  }

  update(editor: Editor, maskHidden: boolean, confidence: number | null): void {
    this.confidence.check(confidence);
    this.tools.check(editor.hand.tool);
    this.size.value = `${editor.hand.size}`;
    this.readout.textContent = text.sizeOf(editor.hand.size);
    press(this.erase, editor.hand.erasing);
    press(this.hide, maskHidden);
    press(this.final, editor.showsFinal);
    allow(this.undo, editor.canUndo || editor.hand.isOpen);
    allow(this.redo, editor.canRedo);
    this.starts.forEach((button, slot) => press(button, editor.startedFrom === slot));
  }

  sayKept(where: Whereabouts): void {
    this.kept.textContent = text.draftKept(where, new Date().toLocaleTimeString([], { timeStyle: "short" }));
    this.kept.classList.toggle("alone", where.kind !== "here" && where.kind !== "everywhere");
  }

  allowSave(allowed: boolean): void {
    allow(this.save, allowed);
  }
}

function toolLabel(tool: Tool): HTMLElement {
  return h("span", {}, `${text.tools[tool]} `, hint(tool));
}

type MakeCommand = (label: string, action: CaseAction, kind?: string) => HTMLButtonElement;

function filmCommands(run: MakeCommand): HTMLElement[] {
  return [
    h("div", { class: "pair" }, run(text.noInfection, "noInfection"), run(text.flag, "flag")),
    h("div", { class: "pair" }, run(text.previous, "previous", "quiet"), run(text.postpone, "postpone", "quiet")),
  ];
}
