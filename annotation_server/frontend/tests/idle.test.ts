import { expect, it } from "vitest";

import { Idle } from "../src/idle";

const LIMIT_MS = 600;

function browser() {
  const kept = new Map<string, string>();
  const store = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
  const clock = { ms: 1_000_000 };
  return { clock, tab: () => new Idle(LIMIT_MS, store, () => clock.ms) };
}

it("is over when nothing moved for longer than the limit", () => {
  const { clock, tab } = browser();
  const idle = tab();
  clock.ms += LIMIT_MS;
  expect(idle.isOver).toBe(false);
  idle.note();
  clock.ms += LIMIT_MS;
  expect(idle.isOver).toBe(false);
  clock.ms += 1;
  expect(idle.isOver).toBe(true);
});

it("stays over when somebody comes back too late, until the reader begins again", () => {
  const { clock, tab } = browser();
  const idle = tab();
  clock.ms += LIMIT_MS + 1;
  idle.note();
  expect(idle.isOver).toBe(true);
  idle.begin();
  expect(idle.isOver).toBe(false);
});

it("is not over in a hidden tab while the reader works in another", () => {
  const { clock, tab } = browser();
  const [hidden, used] = [tab(), tab()];
  for (let i = 0; i < 5; i++) {
    clock.ms += LIMIT_MS / 2;
    used.note();
  }
  expect(hidden.isOver).toBe(false);
});

it("is over where the clock was put back by more than the limit", () => {
  const { clock, tab } = browser();
  const idle = tab();
  clock.ms -= LIMIT_MS + 1;
  expect(idle.isOver).toBe(true);
});
