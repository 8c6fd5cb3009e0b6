/** One comparison in the reader's hands: what is shown, what was seen, what is marked. No browser needed. */

export type VerdictKind = "pick" | "touch_up" | "deny_all" | "no_infection" | "unreadable" | "drawn";

export const REASONS = ["quality", "not_frontal", "identifier_visible", "other"] as const;
export type UnreadableReason = (typeof REASONS)[number];

/** A verdict as the server takes it, apart from the drawing and the time. Slots count from 0. */
export interface Decision {
  readonly kind: VerdictKind;
  readonly slot: number | null;
  readonly also_acceptable: readonly number[];
  readonly reason: UnreadableReason | null;
  /** 1 to 5, where the stage asks. */
  readonly confidence: number | null;
}

export const CONFIDENCES = [1, 2, 3, 4, 5] as const;

/** Why there is no verdict yet. */
export type Missing = { readonly unseen: readonly number[] } | { readonly selection: true };

export class Choice {
  private picked: number | null = null;
  private flipped: number | null | undefined = undefined;
  private sureness: number | null = null;
  private readonly also = new Set<number>();
  private readonly seen = new Set<number>();

  constructor(
    readonly nCandidates: number,
    earlier: Decision | null = null,
  ) {
    if (!earlier) return;
    this.picked = earlier.slot;
    this.sureness = earlier.confidence;
    for (const slot of earlier.also_acceptable) this.also.add(slot);
    for (let slot = 0; slot < nCandidates; slot++) this.seen.add(slot);
  }

  get selected(): number | null {
    return this.picked;
  }

  /** The slot over the film now, null for the film alone. */
  get shown(): number | null {
    return this.flipped === undefined ? this.picked : this.flipped;
  }

  get alsoAcceptable(): readonly number[] {
    return [...this.also].sort((a, b) => a - b);
  }

  get unseen(): readonly number[] {
    return Array.from({ length: this.nCandidates }, (_, slot) => slot).filter((slot) => !this.seen.has(slot));
  }

  get confidence(): number | null {
    return this.sureness;
  }

  setConfidence(value: number): void {
    this.sureness = value;
  }

  has(slot: number | null): boolean {
    return slot === null || slot < this.nCandidates;
  }

  select(slot: number | null): void {
    this.picked = slot;
    this.flipped = undefined;
    if (slot !== null) this.also.delete(slot);
  }

  /** Shows a slot (null: the film alone) for as long as a key is held; undefined ends it. */
  flip(slot: number | null | undefined): void {
    this.flipped = slot;
  }

  /** Called when a candidate has been painted where the reader can see it. */
  markSeen(slot: number): void {
    this.seen.add(slot);
  }

  /** False if the slot cannot be marked, being the selected one. */
  toggleAlso(slot: number): boolean {
    if (slot === this.picked) return false;
    if (!this.also.delete(slot)) this.also.add(slot);
    return true;
  }

  /** What stands between the reader and a verdict of this kind. A film is unreadable whatever lies over it. */
  missing(kind: VerdictKind): Missing | null {
    if (kind === "unreadable") return null;
    if (this.unseen.length > 0) return { unseen: this.unseen };
    if ((kind === "pick" || kind === "touch_up") && this.picked === null) return { selection: true };
    return null;
  }

  decide(kind: VerdictKind, reason: UnreadableReason | null = null): Decision {
    const slotted = kind === "pick" || kind === "touch_up";
    return {
      kind,
      slot: slotted ? this.picked : null,
      also_acceptable: slotted ? this.alsoAcceptable : [],
      reason,
      confidence: this.sureness,
    };
  }
}

/** Milliseconds during which the page could be seen. */
export class VisibleClock {
  private total = 0;
  private since: number | null = null;

  constructor(private readonly now: () => number) {}

  /** Called when the case comes before the reader or goes, and when the page appears or disappears. */
  turn(visible: boolean): void {
    this.total = this.elapsed;
    this.since = visible ? this.now() : null;
  }

  get elapsed(): number {
    return Math.round(this.total + (this.since === null ? 0 : this.now() - this.since));
  }
}
