/** A comparison before the reader: its pictures, what the reader made of it so far, the time it was looked at. */

import { Choice, VisibleClock } from "./choice";
import type { LoadedCase } from "./film";

export class Sitting {
  readonly choice: Choice;
  readonly clock = new VisibleClock(() => performance.now());

  constructor(readonly loaded: LoadedCase) {
    this.choice = new Choice(loaded.comparison.n_candidates, loaded.comparison.verdict);
  }

  get token(): string {
    return this.loaded.comparison.token;
  }

  get verdict(): LoadedCase["comparison"]["verdict"] {
    return this.loaded.comparison.verdict;
  }

  /** What a practice case teaches once it was decided. */
  get feedback(): LoadedCase["comparison"]["feedback"] {
    return this.loaded.comparison.feedback;
  }

  /** Whether there is nothing to choose from: the film is drawn. */
  get isDrawn(): boolean {
    return this.loaded.comparison.task === "draw";
  }

  get isPractice(): boolean {
    return this.loaded.comparison.is_practice;
  }

  get asksConfidence(): boolean {
    return this.loaded.comparison.with_confidence;
  }

  get nCandidates(): number {
    return this.loaded.comparison.n_candidates;
  }

  get nSerialFilms(): number {
    return this.loaded.comparison.n_serial_films;
  }

  leave(): void {
    this.clock.turn(false);
  }

  close(): void {
    this.loaded.film.close();
  }
}
