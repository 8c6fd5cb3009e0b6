/** Key presses, as what the room does with them: tap or hold a digit, hold Space, or an action. */

import type { Choice } from "./choice";
import type { Frame } from "./frame";
import { keymap } from "./hints";
import type { Mode } from "./keymap";
import { type Action, type CaseAction, type ToolAction, actionOf, digitOf, heldOf, isViewAction, shadingOf } from "./keys";
import type { View } from "./view";

/** Pressed longer than this, a digit's key was held, not tapped. */
export const HOLD_MS = 250;

export interface KeyTarget {
  readonly mode: Mode;
  /** Of the case that is being read; null when there is none. */
  readonly choice: Choice | null;
  run(action: CaseAction | ToolAction): void;
  select(slot: number | null): void;
  flip(slot: number | null | undefined): void;
  toggleAlso(slot: number): void;
  setConfidence(value: number): void;
}

const REPEATING: readonly Action[] = [
  "smaller", "larger", "zoomIn", "zoomOut", "panLeft", "panRight", "panUp", "panDown", "lessOpaque", "moreOpaque",
  "undo", "redo",
]; // prettier-ignore

export class Keyboard {
  /** The key of the window or of the level, while it is held. */
  private shading: "window" | "level" | null = null;
  private held: { code: string; slot: number | null; since: number } | null = null;

  constructor(
    private readonly target: KeyTarget,
    private readonly view: View,
    private readonly frame: Frame,
  ) {
    document.addEventListener("keydown", (event) => this.down(event));
    document.addEventListener("keyup", (event) => this.up(event));
    window.addEventListener("blur", () => this.release());
  }

  private down(event: KeyboardEvent): void {
    if (this.frame.hasDialog) return;
    const shading = shadingOf(this.shading, event.code);
    if (!shading && belongsToControl(event)) return;
    const digit = digitOf(event.code);
    const held = heldOf(event, this.target.mode, keymap);
    if (shading) this.view.run(shading);
    else if (held === "hideOverlays") this.view.hideOverlays(true);
    else if (held) this.shading = held;
    else if (digit !== null && event.altKey) this.target.setConfidence(digit);
    else if (digit !== null && this.target.choice && !event.ctrlKey && !event.altKey) this.digit(digit, event);
    else if (!this.act(event)) return;
    event.preventDefault();
  }

  private act(event: KeyboardEvent): boolean {
    const action = actionOf(event, this.target.mode, keymap);
    if (!action) return false;
    if (event.repeat && !REPEATING.includes(action)) return true;
    if (isViewAction(action)) this.view.run(action);
    else this.target.run(action);
    return true;
  }

  private digit(digit: number, event: KeyboardEvent): void {
    const slot = digit === 0 ? null : digit - 1;
    if (event.repeat || !this.target.choice?.has(slot)) return;
    if (event.shiftKey) {
      if (slot !== null) this.target.toggleAlso(slot);
      return;
    }
    this.held = { code: event.code, slot, since: event.timeStamp };
    this.target.flip(slot);
  }

  private up(event: KeyboardEvent): void {
    if (event.code === keymap.codeOf("hideOverlays")) this.view.hideOverlays(false);
    if (this.shading && event.code === keymap.codeOf(this.shading)) this.shading = null;
    if (this.held?.code !== event.code) return;
    const { slot, since } = this.held;
    this.held = null;
    if (event.timeStamp - since < HOLD_MS) this.target.select(slot);
    else this.target.flip(undefined);
  }

  private release(): void {
    this.held = this.shading = null;
    this.target.flip(undefined);
    this.view.hideOverlays(false);
  }
}

/** Whether a focused control uses this key itself. */
function belongsToControl({ target, code }: KeyboardEvent): boolean {
  if (target instanceof HTMLInputElement) return code.startsWith("Arrow");
  const isButton = target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement;
  return isButton && (code === "Enter" || code === "NumpadEnter" || code === "Space");
}
