/** Elements in one call. No inline style is ever set: the Content-Security-Policy forbids it. */

type Attributes = Readonly<Record<string, string>>;

export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function svg(name: string, attributes: Attributes = {}, ...children: readonly Node[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A button with its key printed on it. */
export function command(label: string, key: string | Node, run: () => void, kind = ""): HTMLButtonElement {
  const button = h("button", { type: "button", class: `command ${kind}`.trim() }, h("span", {}, label));
  if (key) button.append(typeof key === "string" ? h("kbd", { "aria-hidden": "true" }, key) : key);
  button.addEventListener("click", run);
  return button;
}

/** Changes the label of such a button. */
export function relabel(button: HTMLButtonElement, label: string): void {
  const span = button.firstElementChild;
  if (span && span.textContent !== label) span.textContent = label;
}

/** Whether a control answers; it stays focusable, so that it can say why it does not. */
export function allow(button: HTMLButtonElement, allowed: boolean): void {
  button.setAttribute("aria-disabled", String(!allowed));
}

export function press(button: HTMLButtonElement, pressed: boolean): void {
  button.setAttribute("aria-pressed", String(pressed));
}
