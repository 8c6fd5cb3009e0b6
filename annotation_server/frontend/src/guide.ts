/** The campaign's annotation guide in a dialog: paragraphs, headings and items of plain text. */

import type { Guide } from "./api";
import { command, h } from "./dom";
import { keymap } from "./hints";
import { text } from "./messages";

export function guideDialog(guide: Guide): HTMLDialogElement {
  const dialog = h("dialog", { class: "guide", "aria-label": text.guideTitle });
  const close = command(text.close, "Esc", () => dialog.close(), "quiet");
  const body = h("div", { class: "guide-text", tabindex: "0" }, ...guide.text.split("\n").map(line));
  dialog.append(h("h1", {}, text.guideVersion(guide.version)), body, close);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("keydown", (event) => {
    if (event.code !== keymap.codeOf("guide")) return;
    event.stopPropagation();
    dialog.close();
  });
  return dialog;
}

/** One line; nothing of it is markup. */
function line(words: string): HTMLElement {
  if (words.startsWith("# ")) return h("h2", {}, words.slice(2));
  if (words.startsWith("- ")) return h("p", { class: "item" }, words.slice(2));
  return h("p", {}, words);
}
