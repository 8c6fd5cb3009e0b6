/** Sends verdicts until the server has said yes or no. */

import { type Api, type Feedback, Refused, Unreachable, type VerdictBody } from "./api";
import type { Keeping, Parcel } from "./keeping";

const PAUSES_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

/** Repeats what needs the network until the server answers. */
export class Patience {
  private wake: () => void = () => undefined;

  /** `onWaiting` hears for how many seconds it waits, and null when that is over. */
  constructor(private readonly onWaiting: (seconds: number | null, forVerdict: boolean) => void) {}

  /** What `attempt` resolves to; rejects with whatever is not a missing connection. */
  async until<Result>(attempt: () => Promise<Result>, { forVerdict = false } = {}): Promise<Result> {
    for (let n = 0; ; n++) {
      try {
        const result = await attempt();
        if (n > 0) this.onWaiting(null, forVerdict);
        return result;
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        const pause = PAUSES_MS[Math.min(n, PAUSES_MS.length - 1)];
        this.onWaiting(pause / 1000, forVerdict);
        await this.sleep(pause);
      }
    }
  }

  /** Tries again at once. */
  hurry(): void {
    this.wake();
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export class Outbox {
  constructor(
    private readonly reader: string,
    private readonly api: Pick<Api, "decide">,
    private readonly keeping: Pick<Keeping, "keepParcel" | "dropParcel">,
    private readonly patience: Patience,
  ) {}

  /** Resolves when the verdict is stored; rejects with what the server refused. */
  async send(token: string, body: VerdictBody): Promise<Feedback | null> {
    const parcel = { reader: this.reader, token, key: uuid(), body };
    await this.keeping.keepParcel(parcel);
    return this.deliver(parcel);
  }

  /** Sends a kept verdict, with the key that it always had. */
  async deliver({ token, key, body }: Parcel): Promise<Feedback | null> {
    try {
      const feedback = await this.patience.until(() => this.api.decide(token, key, body), { forVerdict: true });
      await this.keeping.dropParcel(token);
      return feedback;
    } catch (error) {
      if (error instanceof Refused) await this.keeping.dropParcel(token);
      throw error;
    }
  }
}

/** A random UUID; `crypto.randomUUID` is missing where a hospital serves plain HTTP. */
export function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
