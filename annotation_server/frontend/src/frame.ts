/** The frame of the reading screen: bar, panes' room, panel, banner, announcements and dialogs. */

import { REASONS, type UnreadableReason } from "./choice";
import { command, h, relabel } from "./dom";
import { helpDialog, keysDialog } from "./help";
import { hint, renewHints } from "./hints";
import { digitOf } from "./keys";
import { text } from "./messages";

const TOAST_MS = 6_000;

export interface BannerAction {
  readonly label: string;
  readonly key?: Node;
  readonly run: () => void;
}

/** Where the reader is; `phantoms` where films are simulated. */
export interface Place {
  readonly campaign: string;
  readonly stage: string;
  /** The address of the reader's start page. */
  readonly home: string;
  readonly phantoms: boolean;
}

export class Frame {
  readonly stage = h("div", { class: "stage" });
  readonly panel = h("aside", { class: "panel" });
  private readonly room = h("div", { class: "room" });
  private readonly progress = h("progress", { max: "1", value: "0", "aria-label": text.progressLabel });
  private readonly count = h("span", { class: "count" });
  private readonly banner = h("div", { class: "banner", role: "status", hidden: "" });
  private readonly toast = h("p", { class: "toast" });
  private readonly live = h("p", { class: "visually-hidden", "aria-live": "polite" });
  private readonly serial: HTMLButtonElement;
  private toastTimer = 0;

  /** `run` is called when the guide or the patient's other films are asked for. */
  constructor(
    root: HTMLElement,
    place: Place,
    run: (action: "guide" | "serial") => void,
  ) {
    this.serial = command(text.serial, hint("serial"), () => run("serial"), "quiet");
    this.offerSerial(0);
    const bar = h(
      "header",
      { class: "bar" },
      h("strong", {}, text.product),
      h("span", { class: "where" }, `${place.campaign} · ${text.stage(place.stage)}`),
      ...(place.phantoms ? [h("span", { class: "phantoms" }, text.phantoms)] : []),
      h("div", { class: "progress" }, this.progress, this.count),
      h("span", { class: "research" }, text.research),
      this.serial,
      command(text.guide, hint("guide"), () => run("guide"), "quiet"),
      command(text.help, hint("help"), () => this.showHelp(), "quiet"),
      h("a", { class: "command quiet", href: place.home }, text.leave),
    );
    this.room.append(this.stage, h("div", { class: "news" }, this.toast, this.banner));
    root.replaceChildren(bar, this.room, this.panel, this.live);
    // A mouse click leaves the focus where it was: Enter goes on accepting.
    root.addEventListener("mousedown", (event) => {
      if ((event.target as Element).closest("button, label.option")) event.preventDefault();
    });
  }

  get hasDialog(): boolean {
    return document.querySelector("dialog[open]") !== null;
  }

  /** Puts tools over the film's edge. */
  lay(tools: HTMLElement): void {
    this.room.append(tools);
  }

  /** Puts `parts` beside the film. */
  showPanel(...parts: readonly HTMLElement[]): void {
    this.panel.replaceChildren(...parts);
    renewHints(this.panel);
  }

  setProgress(at: number, of: number): void {
    this.progress.max = Math.max(1, of);
    this.progress.value = at;
    this.count.textContent = of > 0 ? text.progress(at, of) : "";
  }

  /** Whether the patient has other films to show. */
  offerSerial(n: number): void {
    this.serial.hidden = n === 0;
    relabel(this.serial, text.serialOf(n));
  }

  /** For screen readers. */
  announce(message: string): void {
    this.live.textContent = message;
  }

  /** Forgets the last short word. */
  hush(): void {
    this.toast.textContent = "";
  }

  /** A short word in the corner, announced too. */
  say(message: string): void {
    this.toast.textContent = message;
    this.announce(message);
    clearTimeout(this.toastTimer);
    this.toastTimer = window.setTimeout(() => this.hush(), TOAST_MS);
  }

  showBanner(message: string, ...actions: readonly BannerAction[]): void {
    this.banner.replaceChildren(h("span", {}, message), ...actions.map(({ label, key = "", run }) => command(label, key, run)));
    this.banner.hidden = false;
  }

  /** Opens a dialog, unless one is open. */
  show(dialog: HTMLDialogElement): void {
    if (this.hasDialog) return;
    document.body.append(dialog);
    dialog.showModal();
  }

  hideBanner(): void {
    this.banner.hidden = true;
  }

  /** A page in place of the film: everything is read, or nothing can be. */
  showNotice(title: string, detail: string, ...actions: readonly Node[]): void {
    this.stage.replaceChildren(
      h("div", { class: "notice" }, h("h1", {}, title), h("p", {}, detail), h("div", { class: "pair" }, ...actions)),
    );
    this.announce(`${title}. ${detail}`);
  }

  showHelp(): void {
    this.show(helpDialog(() => this.show(keysDialog())));
  }

  /** Asks why a film cannot be read; null if the reader thinks better of it. */
  askReason(): Promise<UnreadableReason | null> {
    const dialog = h("dialog", { "aria-label": text.flagTitle }, h("h1", {}, text.flagTitle));
    const buttons = REASONS.map((reason, i) => command(text.reasons[reason], `${i + 1}`, () => dialog.close(reason)));
    dialog.append(h("div", { class: "stack" }, ...buttons), command(text.cancel, "Esc", () => dialog.close(), "quiet"));
    dialog.addEventListener("keydown", (event) => {
      const reason = REASONS[(digitOf(event.code) ?? 0) - 1];
      if (reason) dialog.close(reason);
    });
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve((dialog.returnValue || null) as UnreadableReason | null);
      });
    });
  }
}
