/** The reading service over HTTP. */

import { base64, deflate, fromBase64, inflate } from "./bytes";
import type { Decision } from "./choice";
import type { DrawingOf } from "./keeping";

export interface Comparison {
  readonly token: string;
  readonly width_px: number;
  readonly height_px: number;
  readonly grid_width_px: number;
  readonly grid_height_px: number;
  readonly n_candidates: number;
  readonly n_decided: number;
  readonly n_left: number;
  readonly verdict: Decision | null;
  readonly task: "choose" | "draw";
  readonly is_practice: boolean;
  /** How many other films of the patient the reader may ask for. */
  readonly n_serial_films: number;
  readonly with_confidence: boolean;
  readonly redraw_from_candidate: boolean;
  /** Of a practice case that was decided. */
  readonly feedback: Feedback | null;
  readonly film_url: string;
  readonly bundle_url: string;
  /** Null where the film came without a lung mask. */
  readonly lungs_url: string | null;
}

export interface VerdictBody extends Decision {
  readonly visible_ms: number;
  readonly started_from: number | null;
  /** Packed bits at the film's size in base64. */
  readonly drawing: string | null;
}

/** What a practice case teaches: which candidate was right, and how much of it the verdict had. */
export interface Feedback {
  readonly right_slot: number;
  readonly dice: number | null;
}

export interface Guide {
  readonly version: number;
  readonly text: string;
}

/** A film of the patient, and how it stands to the one that is read; no days where the stage hides dates. */
export interface SerialFilm {
  readonly film_url: string;
  readonly order: "present" | "before" | "after" | "unknown";
  readonly days: number | null;
}

/** A drawing that is kept on the server, saved `ageS` seconds ago. */
export interface KeptDraft extends DrawingOf {
  readonly revision: number;
  readonly ageS: number;
}

interface DrawingBody {
  readonly slot: number | null;
  readonly started_from: number | null;
  /** zlib of the packed bits, in base64. */
  readonly bits: string;
}

export interface Decided {
  readonly token: string;
  readonly kind: Decision["kind"];
}

/** The server cannot be reached now; the same request may succeed later. */
export class Unreachable extends Error {}

/** The server understood and said no. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

const TIMEOUT_MS = 20_000;

export class Api {
  private readonly root: string;

  /**
   * `stageUrl` is `.../api/stages/<campaign>/<stage>`; comparisons lie beside it. Where the session has ended `readmit` is
   * asked, and the request is repeated when that resolves.
   */
  constructor(
    private readonly stageUrl: string,
    private readonly session: { readonly csrfToken: string },
    private readonly readmit: () => Promise<void>,
  ) {
    this.root = stageUrl.replace(/\/stages\/.*$/, "");
  }

  async next(): Promise<Comparison | null> {
    const answer = await this.json<{ comparison: Comparison | null }>("POST", `${this.stageUrl}/next`);
    return answer.comparison;
  }

  /** The case that will come after an undecided one, so that its pictures can be fetched before. */
  async ahead(token: string): Promise<Comparison | null> {
    return (await this.json<{ comparison: Comparison | null }>("POST", `${this.comparison(token)}/ahead`)).comparison;
  }

  async history(): Promise<readonly Decided[]> {
    return (await this.json<{ decided: readonly Decided[] }>("GET", `${this.stageUrl}/history`)).decided;
  }

  async open(token: string): Promise<Comparison> {
    return (await this.json<{ comparison: Comparison }>("GET", this.comparison(token))).comparison;
  }

  async renew(token: string): Promise<void> {
    await this.json("POST", `${this.comparison(token)}/renew`);
  }

  async postpone(token: string): Promise<void> {
    await this.json("POST", `${this.comparison(token)}/postpone`);
  }

  /** What a practice case teaches, null for any other. */
  async decide(token: string, key: string, body: VerdictBody): Promise<Feedback | null> {
    const headers = { "Idempotency-Key": key };
    const answer = await this.json<{ feedback: Feedback | null }>("PUT", `${this.comparison(token)}/verdict`, body, headers);
    return answer.feedback;
  }

  async guide(): Promise<Guide | null> {
    return (await this.json<{ guide: Guide | null }>("GET", `${this.stageUrl}/guide`)).guide;
  }

  /** The patient's films in order of acquisition; that they were asked for is recorded. */
  async serial(token: string): Promise<readonly SerialFilm[]> {
    return (await this.json<{ films: readonly SerialFilm[] }>("POST", `${this.comparison(token)}/serial`)).films;
  }

  /** The draft of a comparison, null if there is none. */
  async draft(token: string): Promise<KeptDraft | null> {
    type Answer = { draft: (DrawingBody & { revision: number; age_s: number }) | null };
    const { draft } = await this.json<Answer>("GET", `${this.comparison(token)}/draft`);
    return draft && { ...(await drawingOf(draft)), revision: draft.revision, ageS: draft.age_s };
  }

  /** Keeps a draft that was made from the one with `revision`; its own revision. */
  async keepDraft(token: string, { slot, startedFrom, bits }: DrawingOf, revision: number | null): Promise<number> {
    const body = { revision, slot, started_from: startedFrom, bits: base64(await deflate(bits)) };
    return (await this.json<{ revision: number }>("PUT", `${this.comparison(token)}/draft`, body)).revision;
  }

  async discardDraft(token: string, revision: number): Promise<void> {
    await this.json("DELETE", `${this.comparison(token)}/draft/${revision}`);
  }

  /** The reader's own drawing that counts now, null if there is none. */
  async drawing(token: string): Promise<DrawingOf | null> {
    const { drawing } = await this.json<{ drawing: DrawingBody | null }>("GET", `${this.comparison(token)}/drawing`);
    return drawing && drawingOf(drawing);
  }

  async media(url: string): Promise<Blob> {
    return (await this.request("GET", url)).blob();
  }

  private comparison(token: string): string {
    return `${this.root}/comparisons/${token}`;
  }

  private async json<Answer>(method: string, url: string, body?: unknown, headers = {}): Promise<Answer> {
    const response = await this.request(method, url, body, headers);
    return (await response.json()) as Answer;
  }

  private async request(method: string, url: string, body?: unknown, headers = {}): Promise<Response> {
    const init: RequestInit = {
      method,
      headers: { Accept: "application/json", "X-CSRFToken": this.session.csrfToken, ...headers },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      cache: "no-store",
    };
    if (body !== undefined) {
      init.headers = { ...init.headers, "Content-Type": "application/json" };
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await fetch(url, init);
    } catch (error) {
      throw new Unreachable(String(error));
    }
    if (response.ok) return response;
    const error = await failure(response);
    if (error) throw error;
    await this.readmit();
    return this.request(method, url, body, headers);
  }
}

async function drawingOf({ slot, started_from: startedFrom, bits }: DrawingBody): Promise<DrawingOf> {
  return { slot, startedFrom, bits: await inflate(fromBase64(bits)) };
}

/** What an answer says that is no success; null if it says that the session is over. */
async function failure(response: Response): Promise<Error | null> {
  const { status } = response;
  if (status >= 500 || status === 429) return new Unreachable(`The server answered ${status}.`);
  const body = (await response.json().catch(() => ({}))) as { error?: { code?: string; message?: string; hint?: string } };
  const { code = "", message = `The server answered ${status}.`, hint = "" } = body.error ?? {};
  if (status === 401 || code === "csrf") return null;
  return new Refused(status, code, message, hint ?? "");
}
