/** The draft of one drawing on its way: to this browser's store at once, to the server when the hand rests. */

import { type Api, Refused, Unreachable } from "./api";
import type { Draft, DrawingOf, Keeping } from "./keeping";

const REST_MS = 1_000;
const RETRY_MS = 10_000;

/** Where the draft is: here only for now, on the server too, or here only because of what is said. */
export type Whereabouts =
  | { readonly kind: "here" | "everywhere" | "offline" }
  | { readonly kind: "refused"; readonly message: string };

export interface AutosaveEvents {
  kept(where: Whereabouts): void;
  /** The server has a draft that was not made from here; nothing is sent until `overrule`. */
  stale(): void;
}

export class Autosave {
  private draft: Draft | null = null;
  private sending: Promise<void> = Promise.resolve();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private conflict = false;
  private held = false;

  /** `revision` is that of the server's draft which the drawing goes on from. */
  constructor(
    private readonly token: string,
    private revision: number | null,
    private readonly api: Pick<Api, "keepDraft">,
    private readonly keeping: Pick<Keeping, "keepDraft">,
    private readonly events: AutosaveEvents,
  ) {}

  /** Whether the reader has to say which of two drafts counts. */
  get isStale(): boolean {
    return this.conflict;
  }

  /** Resolves when the drawing is in this browser's store. */
  async keep(drawing: DrawingOf): Promise<void> {
    if (this.held) return;
    this.draft = { ...drawing, token: this.token, revision: this.revision, unsent: true };
    await this.keeping.keepDraft(this.draft);
    if (this.conflict) return this.events.stale();
    this.events.kept({ kind: "here" });
    this.sendIn(REST_MS);
  }

  /** The drawing goes on from `draft`. */
  resume(draft: Draft): Promise<void> {
    this.draft = draft;
    return this.flush();
  }

  /** Sends now what has not been sent; resolves when that succeeded or failed. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    return (this.sending = this.sending.then(() => this.send()));
  }

  /** The drawing was found to differ from one on the server. */
  collide(): void {
    this.conflict = true;
    this.events.stale();
  }

  /** This drawing replaces the server's draft of `revision`. */
  overrule(revision: number | null): Promise<void> {
    this.revision = revision;
    this.conflict = false;
    return this.flush();
  }

  /** Nothing is kept or sent until `release`; resolves with the server's revision when what is on its way has arrived. */
  async hold(): Promise<number | null> {
    this.held = true;
    clearTimeout(this.timer);
    await this.sending;
    return this.revision;
  }

  release(): void {
    this.held = false;
  }

  private sendIn(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), ms);
  }

  private async send(): Promise<void> {
    const { draft } = this;
    if (!draft?.unsent || this.conflict || this.held) return;
    try {
      this.revision = await this.api.keepDraft(this.token, draft, this.revision);
    } catch (error) {
      return this.failed(error);
    }
    const isLatest = this.draft === draft;
    this.draft = { ...(this.draft ?? draft), revision: this.revision, unsent: !isLatest };
    if (!this.held) await this.keeping.keepDraft(this.draft);
    if (isLatest) this.events.kept({ kind: "everywhere" });
  }

  private failed(error: unknown): void {
    if (error instanceof Refused && error.code === "stale") return this.collide();
    if (!(error instanceof Unreachable)) return this.events.kept({ kind: "refused", message: (error as Error).message });
    this.events.kept({ kind: "offline" });
    if (!this.held) this.sendIn(RETRY_MS);
  }
}
