/** Keys printed on the screen: always those that count in this browser. */

import { h } from "./dom";
import { type Changeable, Keymap, isChangeable } from "./keymap";
import type { Action } from "./keys";

export const keymap = new Keymap(localStorage);

const FIXED: Partial<Record<Action, string>> = { accept: "↵", leave: "Esc", undo: "Ctrl Z", redo: "Ctrl Y", help: "?" };
const SHORT: Readonly<Record<string, string>> = { Backspace: "⌫" };

/** The keys of some actions, for the eye only. */
export function hint(...actions: readonly (Action | Changeable)[]): HTMLElement {
  const element = h("kbd", { "aria-hidden": "true", "data-actions": actions.join(" ") });
  write(element, actions);
  return element;
}

/** Writes the hints below `root` anew. */
export function renewHints(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>("kbd[data-actions]")) {
    write(element, (element.dataset.actions ?? "").split(" "));
  }
}

/** Asks the browser what the keyboard prints; few tell, and those only over HTTPS or on this machine. */
export async function learnLayout(): Promise<void> {
  const { keyboard } = navigator as { keyboard?: { getLayoutMap(): Promise<ReadonlyMap<string, string>> } };
  const layout = await keyboard?.getLayoutMap().catch(() => null);
  if (!layout) return;
  keymap.learn(layout);
  renewHints(document);
}

function write(element: HTMLElement, actions: readonly string[]): void {
  element.textContent = actions.map((one) => short(isChangeable(one) ? keymap.nameOf(one) : (FIXED[one as Action] ?? ""))).join(" ");
}

function short(name: string): string {
  return SHORT[name] ?? name;
}
