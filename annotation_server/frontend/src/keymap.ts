/**
 * Which key asks for what. Keys are known by their place on the keyboard (`event.code`), so that every layout has them
 * under the same fingers; each reader may change them, in each browser.
 */

import type { Action } from "./keys";

export type Mode = "reading" | "drawing";

/** What works for as long as its key is held. */
const HELD = ["hideOverlays", "window", "level"] as const;
export type Held = (typeof HELD)[number];

export function isHeld(one: Changeable): one is Held {
  return (HELD as readonly Changeable[]).includes(one);
}

/** The usual keys, by where they count. */
const USUAL = {
  both: {
    noInfection: "KeyN", flag: "KeyF", previous: "Backspace", postpone: "KeyP", guide: "KeyH", overlayStyle: "KeyO",
    lessOpaque: "Comma", moreOpaque: "Period", autoWindow: "KeyA", contrast: "KeyC", invert: "KeyI", reset: "KeyR",
    lungs: "KeyG", serial: "KeyS", hideOverlays: "Space", window: "KeyW", level: "KeyL",
  },
  reading: { touchUp: "KeyE", denyAll: "KeyD", toggleGrid: "KeyV", disagreement: "KeyX" },
  drawing: {
    brush: "KeyB", eraser: "KeyE", lasso: "KeyQ", polygon: "KeyT", smaller: "BracketLeft", larger: "BracketRight",
    fillHoles: "KeyJ", removeSpecks: "KeyK", clear: "Delete", hideMask: "KeyM", asItCounts: "KeyU",
  },
} as const satisfies Record<Mode | "both", Partial<Record<Action | Held, string>>>; // prettier-ignore

/** What has a key that can be changed. */
export type Changeable = keyof typeof USUAL.both | keyof typeof USUAL.reading | keyof typeof USUAL.drawing;

const CODES: Readonly<Record<Changeable, string>> = { ...USUAL.both, ...USUAL.reading, ...USUAL.drawing };

export function isChangeable(one: string): one is Changeable {
  return one in CODES;
}

/** A key: its place, and what is printed on it. */
export interface Key {
  readonly code: string;
  readonly key: string;
}

const STORE_KEY = "overread.keys";
const NAMES: Readonly<Record<string, string>> = {
  Comma: ",", Period: ".", BracketLeft: "[", BracketRight: "]", Delete: "Del", Space: "Space",
}; // prettier-ignore

export class Keymap {
  private changed: Partial<Record<Changeable, Key>>;
  /** What the keyboard's layout prints on a key, where the browser tells. */
  private printed: ReadonlyMap<string, string> = new Map();

  constructor(private readonly store: Pick<Storage, "getItem" | "setItem" | "removeItem">) {
    this.changed = kept(store.getItem(STORE_KEY));
  }

  /** What the key at `code` asks for. */
  find(code: string, mode: Mode): Changeable | null {
    const all = Object.keys(CODES) as Changeable[];
    return all.find((one) => this.codeOf(one) === code && countsIn(one, mode)) ?? null;
  }

  codeOf(one: Changeable): string {
    return this.changed[one]?.code ?? CODES[one];
  }

  /** What is printed on its key. */
  nameOf(one: Changeable): string {
    const code = this.codeOf(one);
    return nameOf({ code, key: this.printed.get(code) ?? this.changed[one]?.key ?? "" });
  }

  /** Gives it another key, unless that is another one's in the same place: then returns that one. */
  assign(one: Changeable, key: Key): Changeable | null {
    const modes = (["reading", "drawing"] as const).filter((mode) => countsIn(one, mode));
    const holder = modes.map((mode) => this.find(key.code, mode)).find((other) => other !== null && other !== one);
    if (holder) return holder;
    this.changed = { ...this.changed, [one]: { code: key.code, key: key.key } };
    this.store.setItem(STORE_KEY, JSON.stringify(this.changed));
    return null;
  }

  reset(): void {
    this.changed = {};
    this.store.removeItem(STORE_KEY);
  }

  /** Learns what the layout prints on its keys. */
  learn(layout: ReadonlyMap<string, string>): void {
    this.printed = layout;
  }
}

/** What to call a key. */
export function nameOf({ code, key }: Key): string {
  if (NAMES[code] && !/^[^ ]$/u.test(key)) return NAMES[code];
  const upper = key.toUpperCase();
  if (/^[^ ]$/u.test(upper)) return upper;
  return code.replace(/^Key/, "");
}

function countsIn(one: Changeable, mode: Mode): boolean {
  return one in USUAL.both || one in USUAL[mode];
}

/** The changes that are kept, without what no version of this page would have kept. */
function kept(json: string | null): Partial<Record<Changeable, Key>> {
  try {
    const entries = Object.entries(JSON.parse(json ?? "{}") as Record<string, Partial<Key>>);
    const isKey = ([one, key]: [string, Partial<Key>]): boolean =>
      isChangeable(one) && typeof key.code === "string" && typeof key.key === "string";
    return Object.fromEntries(entries.filter(isKey)) as Partial<Record<Changeable, Key>>;
  } catch {
    return {};
  }
}
