/** Every text that the reader sees. English; another language is another module of this shape. */

import type { SerialFilm } from "./api";
import type { Whereabouts } from "./autosave";
import type { UnreadableReason, VerdictKind } from "./choice";
import type { Tool } from "./hand";
import type { Changeable } from "./keymap";
import type { Style } from "./overlay";
import type { Refusal } from "./session";

const list = (slots: readonly number[]): string => slots.map((slot) => slot + 1).join(", ");
const once = (n: number, one: string, many: string): string => (n === 1 ? one : many);

const styles: Readonly<Record<Style, string>> = { outline: "Outline", fill: "Fill", both: "Both" };

const tools: Readonly<Record<Tool, string>> = { brush: "Brush", lasso: "Lasso", polygon: "Polygon" };

const reasons: Readonly<Record<UnreadableReason, string>> = {
  quality: "Poor quality",
  not_frontal: "Not a frontal film",
  identifier_visible: "Identifier visible",
  other: "Other",
};

const verdicts: Readonly<Record<VerdictKind, string>> = {
  pick: "accepted",
  touch_up: "touched up",
  deny_all: "redrawn",
  no_infection: "no infection",
  unreadable: "flagged",
  drawn: "drawn",
};

const notUnlocked: Readonly<Record<Refusal, string>> = {
  password: "This is not the password.",
  tooOften: "That was tried too often. Wait a minute.",
  unreachable: "The server cannot be reached. Try again in a moment.",
};

/** What a key does that can be changed. */
const does: Readonly<Record<Changeable, string>> = {
  touchUp: "touch up the selected one",
  denyAll: "deny all and redraw",
  noInfection: "no infection",
  flag: "flag an unreadable film",
  previous: "revise the previous verdict",
  postpone: "postpone",
  guide: "annotation guide",
  serial: "other films of the patient",
  toggleGrid: "large film or grid",
  hideOverlays: "held: hide overlays",
  overlayStyle: "outline, fill or both",
  lessOpaque: "less opaque",
  moreOpaque: "more opaque",
  disagreement: "where candidates disagree",
  lungs: "lung outline",
  autoWindow: "automatic window",
  contrast: "local contrast",
  window: "held: arrows change the window",
  level: "held: arrows change the level",
  invert: "invert",
  reset: "reset the view",
  brush: "brush",
  lasso: "lasso",
  polygon: "polygon",
  eraser: "erase on or off",
  smaller: "smaller brush",
  larger: "larger brush",
  fillHoles: "fill holes",
  removeSpecks: "remove specks below the brush",
  clear: "clear",
  hideMask: "hide the mask",
  asItCounts: "as it will count",
};

/** A key that can be changed; or any other key, or the mouse, and what it does. */
export type KeyRow = Changeable | readonly [keys: string, does: string];

const keys: Readonly<Record<"reading" | "view" | "drawing", readonly KeyRow[]>> = {
  reading: [
    ["1 to 5", "select; hold to flip to it"],
    ["0", "film alone"],
    ["Enter", "accept the selected one"],
    ["Shift 1 to 5", "also acceptable"],
    "touchUp", "denyAll", "noInfection", "flag", "previous", "postpone",
    ["Alt 1 to 5", "how sure you are, where asked"],
    "guide", "serial",
    ["Ctrl Z", "take the last verdict back"],
  ],
  view: [
    "toggleGrid", "hideOverlays", "overlayStyle", "lessOpaque", "moreOpaque", "disagreement", "lungs", "autoWindow", "contrast",
    "window", "level", "invert", "reset",
    ["Wheel, + -", "zoom"],
    ["Left drag, arrows", "pan"],
    ["Right drag", "window and level"],
  ],
  drawing: [
    "brush", "lasso", "polygon", "eraser",
    ["Ctrl held", "erase, cut out"],
    "smaller", "larger",
    ["Shift wheel", "size"],
    ["Enter, double click", "close the polygon"],
    ["previous", "polygon: last corner back"],
    "fillHoles", "removeSpecks", "clear", "hideMask", "asItCounts",
    ["Ctrl Z, Ctrl Y", "undo, redo"],
    ["Pen", "draw; fingers pan and zoom"],
    ["Shift drag", "pan"],
    ["Enter, Esc", "save, back"],
  ],
}; // prettier-ignore

export const text = {
  product: "Overread",
  research: "For research use. Not a medical device.",
  phantoms: "Phantom films: simulated",
  stage: (name: string): string => `Stage ${name}`,
  progress: (at: number, of: number): string => `${at} of ${of}`,
  progressLabel: "Case",
  leave: "Leave",
  help: "Help",
  guide: "Guide",
  guideTitle: "Annotation guide",
  guideVersion: (version: number): string => `Annotation guide, version ${version}`,
  noGuide: "This campaign has no annotation guide.",
  serial: "Other films",
  serialOf: (n: number): string => `${n} other ${once(n, "film", "films")}`,
  serialTitle: "Films of this patient",
  thisFilm: "This film",
  serialFilm: ({ order, days }: SerialFilm): string => {
    if (days === 0) return "Same day";
    if (days !== null) return `${Math.abs(days)} ${once(Math.abs(days), "day", "days")} ${days < 0 ? "before" : "after"}`;
    return { present: "This film", before: "Earlier", after: "Later", unknown: "Order unknown" }[order];
  },
  serialPlace: (at: number, of: number, what: string): string => `Other film ${at} of ${of}: ${what}`,
  noSerial: "There are no other films of this patient here.",
  loading: "Loading",
  close: "Close",
  film: "Film",

  candidates: "Candidates",
  candidate: (slot: number): string => `Candidate ${slot + 1}`,
  filmAlone: "Film alone",
  filmDrawn: "Film with your drawing",
  filmWith: (slot: number): string => `Film with candidate ${slot + 1}`,
  seen: "seen",
  notSeen: "not seen yet",
  allShown: "All candidates were shown",
  unseen: (slots: readonly number[]): string => `Still to show: ${list(slots)}`,
  alsoAcceptable: "Also acceptable",
  alsoMarked: (slots: readonly number[]): string =>
    slots.length > 0 ? `Also acceptable: ${list(slots)}` : "No candidate is marked as also acceptable",
  alsoIsSelected: "The selected candidate cannot be also acceptable",
  choose: "Choose a candidate",
  accept: (slot: number): string => `Accept ${slot + 1}`,
  touchUp: (slot: number | null): string => (slot === null ? "Touch up" : `Touch up ${slot + 1}`),
  denyAll: "Deny all, redraw",
  noInfection: "No infection",
  flag: "Flag film",
  previous: "Previous",
  postpone: "Postpone",
  showing: (slot: number | null, unseen: readonly number[]): string => {
    const what = slot === null ? "Film alone." : `Candidate ${slot + 1}.`;
    return unseen.length > 0 ? `${what} Still to show: ${list(unseen)}.` : what;
  },

  view: "View",
  large: "Large",
  grid: "Grid",
  layout: "Layout",
  overlay: "Overlay",
  styles,
  opacity: "Opacity",
  disagreement: "Disagreement",
  noDisagreement: "The candidates do not differ",
  lungs: "Lungs",
  noLungs: "No lung outline for this film.",
  autoWindow: "Auto window",
  contrast: "Contrast",
  noGreys: "This browser does not let the page compute that.",
  invert: "Invert",
  reset: "Reset",
  touchbar: "Grey values",
  dragGreys: "Drag greys",
  dragGreysHint: "One finger now changes window and level, two fingers zoom and pan.",
  holdToHide: "Hold to hide",

  flagTitle: "Why can this film not be read?",
  reasons,
  cancel: "Cancel",

  drawing: { touchUp: "Touch up", redraw: "Redraw", draw: "Drawing" },
  drawingHint: {
    touchUp: "Candidate as you saw it. Paint and erase.",
    redraw: "Draw what you see.",
    draw: "Draw the infection that you see.",
  },
  startFromLabel: "Start from",
  startFrom: (slot: number): string => `Start from candidate ${slot + 1}`,
  toolsLabel: "Tools",
  tools,
  erase: "Erase",
  hideMask: "Hide mask",
  size: "Size",
  sizeOf: (px: number): string => `${px} px`,
  undo: "Undo",
  redo: "Redo",
  fillHoles: "Fill holes",
  noHoles: "There is no hole.",
  removeSpecks: "Specks",
  noSpecks: "No part is smaller than the brush.",
  clear: "Clear",
  asItCounts: "As it counts",
  save: "Save drawing",
  back: "Back",
  nothingDrawn: {
    touchUp: (key: string): string => `Nothing is left. If there is no infection, go back and press ${key}.`,
    redraw: (key: string): string => `Nothing is drawn. If there is no infection, go back and press ${key}.`,
    draw: (key: string): string => `Nothing is drawn. If there is no infection, press ${key}.`,
  },
  clearFirst: "Something is drawn. Save it, or clear it first.",
  nothingChanged: "Nothing was changed. To take the candidate as it is, go back and accept it.",
  draftKept: (where: Whereabouts, time: string): string => {
    switch (where.kind) {
      case "everywhere":
        return `Draft kept ${time}`;
      case "here":
        return `Draft kept in this browser ${time}`;
      case "offline":
        return "No connection. The draft is only in this browser; it is sent when the network is back.";
      case "refused":
        return `The draft is only in this browser. ${where.message}`;
    }
  },
  draftFound: "A drawing of this case was not sent.",
  draftRestored: "Your unsent drawing goes on.",
  restore: "Restore it",
  discard: "Discard it",
  twoDrafts: "Two drawings of this case were not sent: one of this browser, one of another.",
  restoreHere: "Restore this browser's",
  restoreElsewhere: "Restore the other",
  stale: "This case was also drawn in another window or on another machine.",
  keepThis: "Keep this drawing",
  takeOther: "Take the other",
  notNow: "The server cannot be reached. Try again.",
  goesOn: "Goes on from your earlier drawing.",

  confidence: "How sure are you?",
  confidenceOf: (value: number): string => `${value} of 5`,
  practice: "Practice: this case does not count, and tells you afterwards which candidate was right.",
  practiceResult: (rightSlot: number, slot: number | null, dice: number | null): string => {
    const right = slot === rightSlot ? "Right." : `Candidate ${rightSlot + 1} was right.`;
    return dice === null ? right : `${right} Dice of your verdict with it: ${dice.toFixed(2)}.`;
  },
  nextReady: (at: number, of: number, nCandidates: number): string =>
    `Case ${at} of ${of}, ${nCandidates === 0 ? "to draw" : `${nCandidates} candidates`}`,
  saved: (kind: VerdictKind, slot: number | null, previousKey: string): string => {
    const what = slot === null ? verdicts[kind] : `${slot + 1} ${verdicts[kind]}`;
    return `Saved: ${what}. ${kind === "drawn" ? previousKey : "Ctrl+Z"} takes it back.`;
  },
  revised: "Saved: verdict revised.",
  postponed: "Postponed.",
  noPrevious: "There is no earlier verdict.",
  revising: (kind: VerdictKind, slot: number | null): string =>
    `Earlier case, ${slot === null ? verdicts[kind] : `${slot + 1} ${verdicts[kind]}`}. A new verdict replaces it.`,
  toCurrent: "Return to the current case",
  allRead: "All cases are read",
  allReadDetail: (n: number, previousKey: string): string =>
    n === 0
      ? "There is nothing to read in this stage now."
      : `You read ${n} ${once(n, "case", "cases")}. Until the stage locks you can go back with ${previousKey}.`,
  overview: "To the overview",

  waiting: (seconds: number): string => `No connection. Your verdict is kept here; trying again in ${seconds} s.`,
  unreachable: (seconds: number): string => `The server cannot be reached; trying again in ${seconds} s.`,
  unpaintable: "This film cannot be shown by this browser.",
  tryNow: "Try now",
  tooLate: "A verdict that waited in this browser came too late: its case had gone to others, or its stage had ended.",

  locked: "Locked",
  sessionEnded: "Your session has ended",
  lockedDetail: (reader: string): string => `Reader ${reader}: your case waits, and so does what you drew.`,
  password: "Password",
  unlock: "Go on reading",
  unlocking: "One moment.",
  notUnlocked,
  somebodyElse: "Sign in as somebody else",

  refused: (message: string, hint: string): string => (hint ? `${message} ${hint}` : message),
  nextCase: "Next case",

  helpTitle: "Keys and mouse",
  helpOf: { reading: "Reading", view: "View", drawing: "Drawing" },
  does,
  keys,
  changeKeys: "Change keys",
  keysTitle: "Keys",
  keysHint: "Choose a key, then press the one that you want instead. Changes stay in this browser.",
  keyOf: (does: string, key: string): string => `${does}: ${key}`,
  pressKey: (does: string): string => `Press the new key for "${does}". Esc leaves it as it is.`,
  keyIsFixed: (key: string): string => `${key} always means the same. Press another key.`,
  keyIsTaken: (key: string, does: string): string => `${key} is the key for "${does}". Press another key, or change that one first.`,
  keyChanged: (does: string, key: string): string => `${key} is now the key for "${does}".`,
  resetKeys: "Usual keys",
  keysReset: "All keys are the usual ones again.",
} as const;
