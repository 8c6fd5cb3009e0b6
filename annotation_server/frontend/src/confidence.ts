/** How sure the reader is, where the stage asks: one line of a panel. */

import { CONFIDENCES } from "./choice";
import { radios } from "./controls";
import { h } from "./dom";
import { text } from "./messages";

export interface ConfidenceLine {
  /** What a panel takes in; nothing where the stage does not ask. */
  readonly elements: readonly HTMLElement[];
  check(value: number | null): void;
}

export function confidenceLine(isAsked: boolean, choose: (value: number) => void): ConfidenceLine {
  const levels = CONFIDENCES.map((value) => ({ value: value as number | null, label: `${value}`, description: text.confidenceOf(value) }));
  const { element, check } = radios("confidence", text.confidence, levels, (value) => value !== null && choose(value));
  return { elements: isAsked ? [h("div", { class: "line" }, h("span", {}, text.confidence), element)] : [], check };
}
