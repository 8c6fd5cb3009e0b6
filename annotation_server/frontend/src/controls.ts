/** Controls that several panels are made of. */

import { h } from "./dom";

export interface Option<Value> {
  readonly value: Value;
  readonly label: string | Node;
  readonly description: string;
}

export interface Radios<Value> {
  readonly element: HTMLElement;
  readonly inputs: readonly HTMLInputElement[];
  check(value: Value): void;
}

/** A radio group that looks like a row of buttons. A click leaves no focus behind, so that Enter still accepts. */
export function radios<Value>(
  name: string,
  legend: string,
  options: readonly Option<Value>[],
  choose: (value: Value) => void,
): Radios<Value> {
  const inputs = options.map(({ value, description }) => {
    const input = h("input", { type: "radio", name, "aria-label": description });
    input.addEventListener("change", () => choose(value));
    input.addEventListener("click", (event) => {
      if (event.detail > 0) input.blur();
    });
    return input;
  });
  const labels = options.map(({ label }, i) => h("label", { class: "option" }, inputs[i], h("span", {}, label)));
  const element = h("div", { class: `options ${name}`, role: "radiogroup", "aria-label": legend }, ...labels);
  const check = (wanted: Value): void => options.forEach(({ value }, i) => (inputs[i].checked = value === wanted));
  return { element, inputs, check };
}

export function section(title: string, ...children: readonly Node[]): HTMLElement {
  return h("section", { "aria-label": title }, h("h2", {}, title), ...children);
}

export function slider(label: string, id: string, range: { min: number; max: number; step: number }): HTMLInputElement {
  const { min, max, step } = range;
  return h("input", { type: "range", id, "aria-label": label, min: `${min}`, max: `${max}`, step: `${step}` });
}
