/** What key presses ask for. */

import { type Held, type Keymap, type Mode, isHeld } from "./keymap";

const VIEW_ACTIONS = [
  "toggleGrid", "overlayStyle", "lessOpaque", "moreOpaque", "disagreement", "lungs", "autoWindow", "contrast", "invert", "reset",
  "wider", "narrower", "brighter", "darker", "zoomIn", "zoomOut", "panLeft", "panRight", "panUp", "panDown",
  "dragGreys",
] as const; // prettier-ignore

const TOOL_ACTIONS = [
  "brush", "eraser", "lasso", "polygon", "smaller", "larger", "fillHoles", "removeSpecks", "clear", "undo", "redo",
  "hideMask", "asItCounts",
] as const; // prettier-ignore

/** What changes how the film is looked at, and nothing else. */
export type ViewAction = (typeof VIEW_ACTIONS)[number];

/** What is done to a drawing. */
export type ToolAction = (typeof TOOL_ACTIONS)[number];

export type CaseAction =
  | "accept" | "touchUp" | "denyAll" | "noInfection" | "flag" | "previous" | "postpone" | "takeBack" | "help" | "guide"
  | "serial" | "leave"; // prettier-ignore

export type Action = ViewAction | ToolAction | CaseAction;

export function isViewAction(action: Action): action is ViewAction {
  return (VIEW_ACTIONS as readonly Action[]).includes(action);
}

export function isToolAction(action: Action): action is ToolAction {
  return (TOOL_ACTIONS as readonly Action[]).includes(action);
}

export interface KeyPress {
  readonly code: string;
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
}

/** Keys that nobody can change. */
const FIXED: Readonly<Record<string, Action>> = {
  Enter: "accept", NumpadEnter: "accept", Escape: "leave", ArrowLeft: "panLeft", ArrowRight: "panRight", ArrowUp: "panUp",
  ArrowDown: "panDown",
}; // prettier-ignore

/** By what is printed on the key, where that is the point of it. Help comes first, wherever a layout has its key. */
const HELP: Readonly<Record<string, Action>> = { "?": "help", F1: "help" };
const PRINTED: Readonly<Record<string, Action>> = { "+": "zoomIn", "=": "zoomIn", "-": "zoomOut" };

/** What a key press asks for, null if nothing. Undo and redo follow the letter that is printed on the key. */
export function actionOf(press: KeyPress, mode: Mode, keymap: Keymap): Action | null {
  if (press.altKey) return null;
  if (press.ctrlKey || press.metaKey) {
    const [undo, redo] = mode === "drawing" ? (["undo", "redo"] as const) : (["takeBack", null] as const);
    if (press.key.toLowerCase() === "z") return press.shiftKey ? redo : undo;
    return press.key.toLowerCase() === "y" ? redo : null;
  }
  const changeable = keymap.find(press.code, mode);
  if (HELP[press.key]) return HELP[press.key];
  if (changeable && !isHeld(changeable)) return changeable;
  return PRINTED[press.key] ?? FIXED[press.code] ?? null;
}

/** What works for as long as its key is held; null if the press holds nothing. */
export function heldOf({ code, ctrlKey, metaKey, altKey }: KeyPress, mode: Mode, keymap: Keymap): Held | null {
  const found = ctrlKey || metaKey || altKey ? null : keymap.find(code, mode);
  return found && isHeld(found) ? found : null;
}

/** What an arrow does while the key of the window or of the level is held; as a right drag does it. */
const SHADING: Readonly<Record<Exclude<Held, "hideOverlays">, Readonly<Record<string, ViewAction>>>> = {
  window: { ArrowRight: "wider", ArrowUp: "wider", ArrowLeft: "narrower", ArrowDown: "narrower" },
  level: { ArrowRight: "brighter", ArrowUp: "brighter", ArrowLeft: "darker", ArrowDown: "darker" },
};

/** What `code` does to window or level while `held` is. */
export function shadingOf(held: "window" | "level" | null, code: string): ViewAction | null {
  return held === null ? null : (SHADING[held][code] ?? null);
}

/** The digit of a key of the main block or the numeric pad. */
export function digitOf(code: string): number | null {
  const match = /^(?:Digit|Numpad)(\d)$/.exec(code);
  return match ? Number(match[1]) : null;
}

/** Whether a key's meaning is fixed: digits, Enter, arrows, and what is printed with a meaning; or the browser's own. */
export function isFixed({ code, key, ctrlKey, metaKey, altKey }: KeyPress): boolean {
  if (ctrlKey || metaKey || altKey || code === "" || code in FIXED || key in HELP || key in PRINTED) return true;
  return /^(Digit|Numpad|F\d|Tab$|ContextMenu|PrintScreen)/.test(code);
}
