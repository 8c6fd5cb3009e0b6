/** Every key in a dialog, and the one in which readers change them. */

import { command, h } from "./dom";
import { keymap, renewHints } from "./hints";
import { type Changeable, isChangeable, nameOf } from "./keymap";
import { isFixed } from "./keys";
import { type KeyRow, text } from "./messages";

const GROUPS = ["reading", "view", "drawing"] as const;
const MODIFIERS = ["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "Dead"];

/** `onChange` is called when the reader wants other keys. */
export function helpDialog(onChange: () => void): HTMLDialogElement {
  const dialog = h("dialog", { class: "help", "aria-label": text.helpTitle });
  const row = (one: KeyRow): HTMLElement => {
    const [key, does] = typeof one === "string" ? [one, text.does[one]] : one;
    return definition(h("kbd", {}, isChangeable(key) ? keymap.nameOf(key) : key), does);
  };
  const change = command(text.changeKeys, "", () => {
    dialog.close();
    onChange();
  });
  const close = command(text.close, "Esc", () => dialog.close(), "quiet");
  dialog.append(h("h1", {}, text.helpTitle), tables((rows) => rows.map(row)), h("div", { class: "choices" }, change, close));
  dialog.addEventListener("keydown", (event) => {
    if (event.key !== "?") return;
    event.stopPropagation();
    dialog.close();
  });
  dialog.addEventListener("close", () => dialog.remove());
  return dialog;
}

/** A key is changed by a click on it and a press of another one. */
export function keysDialog(): HTMLDialogElement {
  const dialog = h("dialog", { class: "help keys", "aria-label": text.keysTitle });
  const said = h("p", { class: "said", role: "status" }, text.keysHint);
  const buttons = new Map<Changeable, HTMLButtonElement>();
  let waiting: Changeable | null = null;

  const show = (): void => {
    for (const [one, button] of buttons) {
      button.textContent = one === waiting ? "…" : keymap.nameOf(one);
      button.setAttribute("aria-label", text.keyOf(text.does[one], keymap.nameOf(one)));
      button.setAttribute("aria-pressed", String(one === waiting));
    }
    renewHints(document);
  };
  const say = (message: string): void => void (said.textContent = message);
  const wait = (one: Changeable | null): void => {
    waiting = one === waiting ? null : one;
    say(waiting ? text.pressKey(text.does[waiting]) : text.keysHint);
    show();
  };
  const take = (one: Changeable, event: KeyboardEvent): void => {
    const name = nameOf(event);
    if (isFixed(event)) return say(text.keyIsFixed(name));
    const holder = keymap.assign(one, event);
    if (holder) return say(text.keyIsTaken(name, text.does[holder]));
    waiting = null;
    say(text.keyChanged(text.does[one], keymap.nameOf(one)));
    show();
  };
  const row = (one: Changeable): HTMLElement => {
    const button = h("button", { type: "button", class: "key" });
    button.addEventListener("click", () => wait(one));
    buttons.set(one, button);
    return definition(button, text.does[one]);
  };
  const reset = command(text.resetKeys, "", () => {
    keymap.reset();
    waiting = null;
    say(text.keysReset);
    show();
  });
  const close = command(text.close, "Esc", () => dialog.close(), "quiet");
  const changeable = (rows: readonly KeyRow[]): HTMLElement[] => rows.filter((one) => typeof one === "string").map(row);
  dialog.append(h("h1", {}, text.keysTitle), tables(changeable), said, h("div", { class: "choices" }, reset, close));
  dialog.addEventListener("keydown", (event) => {
    if (!waiting || MODIFIERS.includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.code === "Escape") wait(null);
    else take(waiting, event);
  });
  dialog.addEventListener("close", () => dialog.remove());
  show();
  return dialog;
}

function tables(rowsOf: (rows: readonly KeyRow[]) => readonly HTMLElement[]): HTMLElement {
  const sections = GROUPS.map((group) => h("section", {}, h("h2", {}, text.helpOf[group]), h("dl", {}, ...rowsOf(text.keys[group]))));
  return h("div", { class: "tables" }, ...sections);
}

function definition(key: HTMLElement, does: string): HTMLElement {
  return h("div", {}, h("dt", {}, key), h("dd", {}, does));
}
