/** Which drawing of a case goes on: the one of this browser, or the one of the server. */

import { type Api, Refused, Unreachable } from "./api";
import { sameBytes } from "./bytes";
import type { Draft, DrawingOf, Keeping } from "./keeping";

/** The draft of a case; `elsewhere` is another one, on the server, of which neither was made from the other. */
export interface Found {
  readonly draft: Draft | null;
  readonly elsewhere: Draft | null;
}

export class Drafts {
  constructor(
    private readonly api: Pick<Api, "draft" | "discardDraft">,
    private readonly keeping: Pick<Keeping, "draft" | "keepDraft" | "dropDraft">,
  ) {}

  /** The newer of the two drafts, or both where that cannot be said. Without a connection it is the browser's. */
  async find(token: string): Promise<Found> {
    const here = await this.keeping.draft(token);
    const there = await this.onServer(token);
    if (there === undefined) return { draft: here ?? null, elsewhere: null };
    if (!here || there === null) {
      const draft = there ?? (here?.unsent ? { ...here, revision: null } : null);
      // Here, and not there though it was sent: it was decided or discarded elsewhere.
      if (here && !draft) await this.keeping.dropDraft(token);
      return { draft, elsewhere: null };
    }
    if (here.revision === there.revision) return { draft: here, elsewhere: null };
    if (!here.unsent || isSame(here, there)) return { draft: there, elsewhere: null };
    return { draft: here, elsewhere: there };
  }

  /** Takes `draft` as the one that this browser goes on with. */
  adopt(draft: Draft): Promise<void> {
    return this.keeping.keepDraft(draft);
  }

  /** The server's draft, null if there is none; undefined if it cannot be asked. */
  async onServer(token: string): Promise<Draft | null | undefined> {
    try {
      const kept = await this.api.draft(token);
      return kept && { token, slot: kept.slot, startedFrom: kept.startedFrom, bits: kept.bits, revision: kept.revision, unsent: false };
    } catch (error) {
      if (error instanceof Unreachable || error instanceof Refused) return undefined;
      throw error;
    }
  }

  /** Forgets both; the server's only if it is the one that is known here. */
  async discard({ token, revision }: Draft): Promise<void> {
    await this.keeping.dropDraft(token);
    if (revision !== null) await this.api.discardDraft(token, revision).catch(() => undefined);
  }
}

function isSame(a: DrawingOf, b: DrawingOf): boolean {
  return a.slot === b.slot && a.startedFrom === b.startedFrom && sameBytes(a.bits, b.bits);
}
