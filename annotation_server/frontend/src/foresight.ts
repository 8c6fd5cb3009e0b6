/** The next case's pictures, fetched while the reader looks at the present one. */

import type { Api, Comparison } from "./api";
import { type LoadedCase, loadCase } from "./film";

interface Ahead {
  readonly after: string;
  readonly token: Promise<string | null>;
  readonly loaded: Promise<LoadedCase | null>;
}

/** Holds one case at most. Whatever fails here is tried again, and said, when the case's turn has come. */
export class Foresight {
  private ahead: Ahead | null = null;

  constructor(private readonly api: Api) {}

  /** Begins to fetch what comes after an undecided case. */
  look(after: string): void {
    if (this.ahead?.after === after) return;
    this.drop();
    const comparison = this.api.ahead(after).catch(() => null);
    const token = comparison.then((one) => one?.token ?? null);
    const loaded = comparison.then((one) => one && loadCase(this.api, one)).catch(() => null);
    this.ahead = { after, token, loaded };
  }

  /** The pictures of a case whose turn has come: those that are here, else fetched now. */
  async take(comparison: Comparison): Promise<LoadedCase> {
    const { ahead } = this;
    if (!ahead || (await ahead.token) !== comparison.token) return loadCase(this.api, comparison);
    this.ahead = null;
    const loaded = await ahead.loaded;
    return loaded ? { ...loaded, comparison } : loadCase(this.api, comparison);
  }

  private drop(): void {
    void this.ahead?.loaded.then((loaded) => loaded?.film.close());
    this.ahead = null;
  }
}
