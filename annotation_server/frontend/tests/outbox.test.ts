import { afterEach, beforeEach, expect, it, vi } from "vitest";

import { Refused, Unreachable, type VerdictBody } from "../src/api";
import type { Parcel } from "../src/keeping";
import { Outbox, Patience, uuid } from "../src/outbox";

const BODY: VerdictBody = {
  kind: "no_infection", slot: null, also_acceptable: [], reason: null, confidence: null, visible_ms: 5, started_from: null, drawing: null,
}; // prettier-ignore

function office(...answers: (Error | null)[]) {
  const kept = new Map<string, Parcel>();
  const keys: string[] = [];
  const waits: (number | null)[] = [];
  const api = {
    decide: async (_token: string, key: string): Promise<null> => {
      keys.push(key);
      const answer = answers.shift();
      if (answer) throw answer;
      return null;
    },
  };
  const keeping = {
    keepParcel: async (parcel: Parcel): Promise<void> => void kept.set(parcel.token, parcel),
    dropParcel: async (token: string): Promise<void> => void kept.delete(token),
  };
  const patience = new Patience((seconds) => waits.push(seconds));
  return { outbox: new Outbox("r1", api, keeping, patience), patience, kept, keys, waits };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("sends a verdict again under the same key until the server has it", async () => {
  const { outbox, kept, keys, waits } = office(new Unreachable("down"), new Unreachable("down"), null);
  const sent = outbox.send("t", BODY);
  await vi.advanceTimersByTimeAsync(500);
  expect(kept.has("t")).toBe(true);
  await vi.advanceTimersByTimeAsync(5_000);
  await sent;
  expect(keys.length).toBe(3);
  expect(new Set(keys).size).toBe(1);
  expect(waits).toEqual([1, 2, null]);
  expect(kept.size).toBe(0);
});

it("tries at once when it is hurried", async () => {
  const { outbox, patience, keys } = office(new Unreachable("down"), null);
  const sent = outbox.send("t", BODY);
  await vi.advanceTimersByTimeAsync(10);
  patience.hurry();
  await sent;
  expect(keys.length).toBe(2);
});

it("drops a verdict that the server refused", async () => {
  const refused = office(new Refused(409, "state", "The stage is locked.", ""));
  await expect(refused.outbox.send("t", BODY)).rejects.toThrow("The stage is locked.");
  expect(refused.kept.has("t")).toBe(false);
});

it("makes keys that are version 4 UUIDs", () => {
  expect(uuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
