/** How long nobody has touched the browser. All its tabs share one answer. */

const KEY = "overread.active";

export class Idle {
  constructor(
    private readonly limitMs: number,
    private readonly store: Pick<Storage, "getItem" | "setItem">,
    private readonly now: () => number = Date.now,
  ) {
    this.begin();
  }

  /** Somebody is here. */
  begin(): void {
    this.store.setItem(KEY, String(this.now()));
  }

  /** A pointer or a key moved: somebody was here all the time, unless it was too long. */
  note(): void {
    if (!this.isOver) this.begin();
  }

  /** Whether the time is over; also where a clock was put back. */
  get isOver(): boolean {
    return Math.abs(this.now() - Number(this.store.getItem(KEY))) > this.limitMs;
  }
}
