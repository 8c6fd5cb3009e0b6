/** The lock screen: hides the films when nobody is there or the session is over, until the password is given. */

import { h } from "./dom";
import type { Idle } from "./idle";
import { text } from "./messages";
import type { Session } from "./session";

const LOOK_MS = 2_000;
/** So long the session lives on, that a draft may reach the server. */
const LEAVING_MS = 5_000;

export interface LockEvents {
  /** The films are hidden, or are seen again. */
  turned(): void;
  /** The session ends when this resolves. */
  leaving(): Promise<void>;
}

export class Lock {
  private readonly password = h("input", {
    type: "password", id: "lock-password", autocomplete: "current-password", maxlength: "256", required: "", "aria-describedby": "lock-trouble",
  }); // prettier-ignore
  private readonly title = h("h1", { id: "lock-title" });
  private readonly trouble = h("p", { class: "trouble", id: "lock-trouble", role: "status" });
  private readonly enter = h("button", { class: "command primary" }, h("span", {}, text.unlock));
  private readonly dialog: HTMLDialogElement;
  /** Those who wait until it is open; null while it is. */
  private waiting: (() => void)[] | null = null;
  private leaving: Promise<void> | null = null;
  private hasSession = true;

  /** `other` is the address where somebody else signs in. */
  constructor(
    private readonly root: HTMLElement,
    private readonly idle: Idle,
    private readonly session: Session,
    other: string,
    private readonly events: LockEvents,
  ) {
    this.dialog = this.build(other);
    for (const event of ["pointermove", "pointerdown", "keydown", "wheel"]) {
      window.addEventListener(event, () => this.look(true), { capture: true, passive: true });
    }
    setInterval(() => this.look(false), LOOK_MS);
    session.listen(() => this.open());
  }

  get isShut(): boolean {
    return this.waiting !== null;
  }

  /** Hides the films because the session is over. Resolves when the reader is back. */
  ended(): Promise<void> {
    this.hasSession = false;
    return this.shut(text.sessionEnded);
  }

  private look(isUsed: boolean): void {
    if (this.isShut) {
      if (this.hasSession && !isUsed) this.leave();
    } else if (this.idle.isOver) {
      this.hasSession = true;
      void this.shut(text.locked);
      this.leave();
    } else if (isUsed) this.idle.note();
  }

  private shut(title: string): Promise<void> {
    const waiting = (this.waiting ??= []);
    if (!this.dialog.open) {
      this.title.textContent = title;
      this.trouble.textContent = this.password.value = "";
      this.root.classList.add("locked");
      document.body.append(this.dialog);
      this.dialog.showModal();
      this.password.focus();
      this.events.turned();
    }
    return new Promise((resolve) => waiting.push(resolve));
  }

  /** Ends the session, once what is drawn has had its time to reach the server. */
  private leave(): void {
    this.leaving ??= this.signOut().finally(() => (this.leaving = null));
  }

  private async signOut(): Promise<void> {
    await Promise.race([this.events.leaving(), new Promise((resolve) => setTimeout(resolve, LEAVING_MS))]);
    if (this.isShut && this.hasSession) this.hasSession = !(await this.session.signOut());
  }

  private async unlock(): Promise<void> {
    this.enter.disabled = true;
    this.trouble.textContent = text.unlocking;
    await this.leaving;
    this.hasSession = false; // what is not signed out yet is replaced
    const refusal = await this.session.signIn(this.password.value);
    this.enter.disabled = false;
    if (!refusal) return this.open();
    this.trouble.textContent = text.notUnlocked[refusal];
    this.password.select();
  }

  private open(): void {
    const { waiting } = this;
    if (!waiting) return;
    this.waiting = null;
    this.idle.begin();
    this.root.classList.remove("locked");
    this.dialog.close();
    this.dialog.remove();
    this.password.value = "";
    this.events.turned();
    for (const goOn of waiting) goOn();
  }

  private build(other: string): HTMLDialogElement {
    const name = h("input", { type: "hidden", name: "username", autocomplete: "username", value: this.session.reader });
    const form = h(
      "form",
      {},
      name,
      this.title,
      h("p", {}, text.lockedDetail(this.session.reader)),
      h("label", { for: "lock-password" }, text.password),
      this.password,
      this.enter,
      this.trouble,
      h("a", { href: other }, text.somebodyElse),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.unlock();
    });
    const dialog = h("dialog", { class: "lock", "aria-labelledby": "lock-title" }, h("strong", {}, text.product), form, h("small", {}, text.research));
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape") event.preventDefault();
    });
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      if (this.isShut) dialog.showModal();
    });
    return dialog;
  }
}
