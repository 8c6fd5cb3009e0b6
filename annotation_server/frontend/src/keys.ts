/** Keys by their place on the keyboard (`event.code`), so that every layout has them under the same fingers. */

const VIEW_ACTIONS = [
  "toggleGrid", "overlayStyle", "lessOpaque", "moreOpaque", "disagreement", "lungs", "autoWindow", "contrast", "invert", "reset",
  "wider", "narrower", "brighter", "darker", "zoomIn", "zoomOut", "panLeft", "panRight", "panUp", "panDown",
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
  | "leave"; // prettier-ignore

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

const EVERYWHERE: Readonly<Record<string, Action>> = {
  Enter: "accept", NumpadEnter: "accept", Escape: "leave", KeyO: "overlayStyle", Comma: "lessOpaque",
  Period: "moreOpaque", KeyA: "autoWindow", KeyC: "contrast", KeyI: "invert", KeyR: "reset", ArrowLeft: "panLeft", ArrowRight: "panRight", ArrowUp: "panUp", ArrowDown: "panDown",
  KeyG: "lungs", KeyH: "guide",
}; // prettier-ignore

const READING: Readonly<Record<string, Action>> = {
  KeyE: "touchUp", KeyD: "denyAll", KeyN: "noInfection", KeyF: "flag", Backspace: "previous", KeyP: "postpone",
  KeyV: "toggleGrid", KeyX: "disagreement",
}; // prettier-ignore

const DRAWING: Readonly<Record<string, Action>> = {
  KeyB: "brush", KeyE: "eraser", KeyQ: "lasso", KeyT: "polygon", BracketLeft: "smaller", BracketRight: "larger",
  KeyJ: "fillHoles", KeyK: "removeSpecks", Delete: "clear", KeyM: "hideMask", KeyU: "asItCounts",
  KeyN: "noInfection", KeyF: "flag", Backspace: "previous", KeyP: "postpone",
}; // prettier-ignore

/** By what is printed on the key, where that is the point of it. Help comes first, wherever a layout has its key. */
const HELP: Readonly<Record<string, Action>> = { "?": "help", F1: "help" };
const PRINTED: Readonly<Record<string, Action>> = { "+": "zoomIn", "=": "zoomIn", "-": "zoomOut" };

/** What a key press asks for, null if nothing. Undo and redo follow the letter that is printed on the key. */
export function actionOf(press: KeyPress, mode: "reading" | "drawing"): Action | null {
  if (press.altKey) return null;
  if (press.ctrlKey || press.metaKey) {
    const [undo, redo] = mode === "drawing" ? (["undo", "redo"] as const) : (["takeBack", null] as const);
    if (press.key.toLowerCase() === "z") return press.shiftKey ? redo : undo;
    return press.key.toLowerCase() === "y" ? redo : null;
  }
  const ofMode = (mode === "reading" ? READING : DRAWING)[press.code];
  return HELP[press.key] ?? ofMode ?? PRINTED[press.key] ?? EVERYWHERE[press.code] ?? null;
}

/** What an arrow does while the key of the window or of the level is held; as a right drag does it. */
const SHADING: Readonly<Record<string, Readonly<Record<string, ViewAction>>>> = {
  KeyW: { ArrowRight: "wider", ArrowUp: "wider", ArrowLeft: "narrower", ArrowDown: "narrower" },
  KeyL: { ArrowRight: "brighter", ArrowUp: "brighter", ArrowLeft: "darker", ArrowDown: "darker" },
};

/** Whether a key gives the arrows another meaning while it is held. */
export function isShadingKey({ code, ctrlKey, metaKey, altKey }: KeyPress): boolean {
  return code in SHADING && !ctrlKey && !metaKey && !altKey;
}

/** What `code` does to window or level while `held` is. */
export function shadingOf(held: string | null, code: string): ViewAction | null {
  return held === null ? null : (SHADING[held]?.[code] ?? null);
}

/** The digit of a key of the main block or the numeric pad. */
export function digitOf(code: string): number | null {
  const match = /^(?:Digit|Numpad)(\d)$/.exec(code);
  return match ? Number(match[1]) : null;
}
