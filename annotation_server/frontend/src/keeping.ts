/** What the browser keeps until the server has it: drafts of drawings, and verdicts on their way. */

import type { VerdictBody } from "./api";

/** What a drawing is, and what it was made from; the bits are packed. */
export interface DrawingOf {
  /** The candidate that is touched up, null for a drawing of one's own. */
  readonly slot: number | null;
  /** The candidate that a redraw began with, null if it began blank. */
  readonly startedFrom: number | null;
  readonly bits: Uint8Array<ArrayBuffer>;
}

export interface Draft extends DrawingOf {
  readonly token: string;
  /** Of the server's draft that it was made from, null if there was none. */
  readonly revision: number | null;
  /** Whether the server lacks what is drawn here. */
  readonly unsent: boolean;
}

/** A verdict that may or may not have reached the server; its key makes sending it again harmless. */
export interface Parcel {
  /** Whose it is: another reader of this computer must not send it. */
  readonly reader: string;
  readonly token: string;
  readonly key: string;
  readonly body: VerdictBody;
}

interface Tables {
  readonly drafts: Draft;
  readonly parcels: Parcel;
}

/** IndexedDB, or this page's memory where the browser has none (a private window may not). */
export class Keeping {
  private readonly memory = { drafts: new Map<string, Draft>(), parcels: new Map<string, Parcel>() };
  private readonly database: Promise<IDBDatabase | null> = open().catch(() => null);

  draft(token: string): Promise<Draft | undefined> {
    return this.get("drafts", token);
  }

  async keepDraft(draft: Draft): Promise<void> {
    await this.put("drafts", draft);
  }

  dropDraft(token: string): Promise<void> {
    return this.delete("drafts", token);
  }

  /** What a reader's earlier visits left behind. */
  async parcels(reader: string): Promise<Parcel[]> {
    return (await this.all("parcels")).filter((one) => one.reader === reader);
  }

  keepParcel(parcel: Parcel): Promise<void> {
    return this.put("parcels", parcel);
  }

  dropParcel(token: string): Promise<void> {
    return this.delete("parcels", token);
  }

  private async get<T extends keyof Tables>(table: T, token: string): Promise<Tables[T] | undefined> {
    const store = await this.store(table, "readonly");
    if (!store) return this.rows(table).get(token);
    return done(store.get(token) as IDBRequest<Tables[T] | undefined>);
  }

  private async all<T extends keyof Tables>(table: T): Promise<Tables[T][]> {
    const store = await this.store(table, "readonly");
    if (!store) return [...this.rows(table).values()];
    return done(store.getAll() as IDBRequest<Tables[T][]>);
  }

  private async put<T extends keyof Tables>(table: T, row: Tables[T]): Promise<void> {
    const store = await this.store(table, "readwrite");
    if (store) await done(store.put(row));
    else this.rows(table).set(row.token, row);
  }

  private async delete(table: keyof Tables, token: string): Promise<void> {
    const store = await this.store(table, "readwrite");
    if (store) await done(store.delete(token));
    else this.rows(table).delete(token);
  }

  private rows<T extends keyof Tables>(table: T): Map<string, Tables[T]> {
    return this.memory[table] as unknown as Map<string, Tables[T]>;
  }

  private async store(table: keyof Tables, mode: IDBTransactionMode): Promise<IDBObjectStore | null> {
    return (await this.database)?.transaction(table, mode).objectStore(table) ?? null;
  }
}

async function open(): Promise<IDBDatabase> {
  const request = indexedDB.open("overread", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("drafts", { keyPath: "token" });
    request.result.createObjectStore("parcels", { keyPath: "token" });
  };
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("The browser's store failed."));
  });
}
