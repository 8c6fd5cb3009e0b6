/** The line to the server: requests that are repeated until it answers, what is fetched ahead, what waits to be sent. */

import { Api, Refused } from "./api";
import type { Cabinet } from "./desk";
import { Drafts } from "./drafts";
import { Foresight } from "./foresight";
import type { Frame } from "./frame";
import { Keeping } from "./keeping";
import { text } from "./messages";
import { Outbox, Patience } from "./outbox";

export class Line {
  readonly keeping = new Keeping();
  readonly patience: Patience;
  readonly foresight: Foresight;
  readonly outbox: Outbox;

  constructor(
    readonly api: Api,
    private readonly reader: string,
    private readonly frame: Frame,
  ) {
    this.patience = new Patience((seconds, forVerdict) => this.waiting(seconds, forVerdict));
    this.foresight = new Foresight(api);
    this.outbox = new Outbox(reader, api, this.keeping, this.patience);
  }

  /** What `ask` resolves to, however long the server cannot be reached. */
  until<Result>(ask: (api: Api) => Promise<Result>): Promise<Result> {
    return this.patience.until(() => ask(this.api));
  }

  /** Sends what the reader's earlier visits left behind; whether the server refused any of it. */
  async deliverOld(): Promise<boolean> {
    let isRefused = false;
    for (const parcel of await this.keeping.parcels(this.reader)) {
      try {
        await this.outbox.deliver(parcel);
        await this.keeping.dropDraft(parcel.token);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        isRefused = true;
      }
    }
    return isRefused;
  }

  get cabinet(): Cabinet {
    const { api, keeping } = this;
    const patient = {
      keepDraft: api.keepDraft.bind(api),
      drawing: (token: string) => this.until((one) => one.drawing(token)),
    };
    return { api: patient, keeping, drafts: new Drafts(api, keeping) };
  }

  private waiting(seconds: number | null, forVerdict: boolean): void {
    if (seconds === null) return this.frame.hideBanner();
    const message = forVerdict ? text.waiting(seconds) : text.unreachable(seconds);
    this.frame.showBanner(message, { label: text.tryNow, run: () => this.patience.hurry() });
  }
}
