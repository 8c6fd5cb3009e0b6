import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Refused, Unreachable } from "../src/api";
import { Autosave, type Whereabouts } from "../src/autosave";
import type { Draft, DrawingOf } from "../src/keeping";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function drawing(stroke: number): DrawingOf {
  return { slot: null, startedFrom: null, bits: Uint8Array.of(stroke) };
}

/** A server that takes drafts as the real one does; `trouble` is thrown while it is set. */
function start(revision: number | null = null) {
  const server = { revision, strokes: [] as number[], trouble: null as Error | null, arrives: Promise.resolve() };
  const kept: Draft[] = [];
  const heard: Whereabouts["kind"][] = [];
  let nStale = 0;
  const api = {
    keepDraft: async (_: string, sent: DrawingOf, madeFrom: number | null): Promise<number> => {
      await server.arrives;
      if (server.trouble) throw server.trouble;
      if (server.revision !== madeFrom) throw new Refused(409, "stale", "It was changed.", "");
      server.revision = (madeFrom ?? 100) + 1;
      server.strokes.push(sent.bits[0]);
      return server.revision;
    },
  };
  const keeping = { keepDraft: (draft: Draft) => Promise.resolve(void kept.push(draft)) };
  const events = { kept: (where: Whereabouts) => void heard.push(where.kind), stale: () => void nStale++ };
  const autosave = new Autosave("token", revision, api, keeping, events);
  return { autosave, server, kept, heard, stale: () => nStale };
}

describe("a draft", () => {
  it("is in this browser at once, and on the server when the hand has rested", async () => {
    const { autosave, server, kept, heard } = start();
    await autosave.keep(drawing(1));
    expect(kept.at(-1)).toMatchObject({ token: "token", revision: null, unsent: true });
    expect(server.strokes).toEqual([]);
    await autosave.keep(drawing(2));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(server.strokes).toEqual([2]);
    expect(kept.at(-1)).toMatchObject({ revision: 101, unsent: false });
    expect(heard).toEqual(["here", "here", "everywhere"]);
  });

  it("is made from the last one that the server took", async () => {
    const { autosave, server } = start(7);
    server.revision = 7;
    await autosave.keep(drawing(1));
    await autosave.flush();
    await autosave.keep(drawing(2));
    await autosave.flush();
    expect(server).toMatchObject({ revision: 9, strokes: [1, 2] });
  });

  it("that is drawn while another is on its way is sent after it", async () => {
    const { autosave, server, kept } = start();
    await autosave.keep(drawing(1));
    server.arrives = new Promise((resolve) => setTimeout(resolve, 500));
    const first = autosave.flush();
    await vi.advanceTimersByTimeAsync(100);
    await autosave.keep(drawing(2));
    await vi.advanceTimersByTimeAsync(400);
    await first;
    expect(kept.at(-1)).toMatchObject({ bits: Uint8Array.of(2), revision: 101, unsent: true });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(server.strokes).toEqual([1, 2]);
  });

  it("goes on in this browser while there is no connection, and is sent when there is one", async () => {
    const { autosave, server, heard, kept } = start();
    server.trouble = new Unreachable("no network");
    for (const stroke of [1, 2, 3]) {
      await autosave.keep(drawing(stroke));
      await autosave.flush();
    }
    expect(kept.at(-1)).toMatchObject({ bits: Uint8Array.of(3), unsent: true });
    expect(heard.at(-1)).toBe("offline");
    server.trouble = null;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(server.strokes).toEqual([3]);
    expect(heard.at(-1)).toBe("everywhere");
  });

  it("that the server refuses stays in this browser, and says why", async () => {
    const { autosave, server, heard } = start();
    server.trouble = new Refused(409, "state", "The stage is locked.", "");
    await autosave.keep(drawing(1));
    await autosave.flush();
    expect(heard.at(-1)).toBe("refused");
  });

  it("is neither kept nor sent while it is held", async () => {
    const { autosave, server, kept } = start();
    await autosave.keep(drawing(1));
    await autosave.hold();
    await autosave.keep(drawing(2));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.strokes).toEqual([]);
    expect(kept).toHaveLength(1);
    autosave.release();
    await autosave.keep(drawing(3));
    await autosave.flush();
    expect(server.strokes).toEqual([3]);
  });
});

describe("a stale draft", () => {
  it("overwrites nothing, and is asked about at every stroke", async () => {
    const { autosave, server, stale, kept } = start(7);
    server.revision = 8;
    await autosave.keep(drawing(1));
    await autosave.flush();
    expect([stale(), autosave.isStale]).toEqual([1, true]);
    await autosave.keep(drawing(2));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.strokes).toEqual([]);
    expect(stale()).toBe(2);
    expect(kept.at(-1)).toMatchObject({ bits: Uint8Array.of(2), unsent: true });
  });

  it("goes on once the reader has said that it counts", async () => {
    const { autosave, server } = start(7);
    server.revision = 8;
    await autosave.keep(drawing(1));
    await autosave.flush();
    await autosave.overrule(8);
    expect(server.strokes).toEqual([1]);
    expect(autosave.isStale).toBe(false);
  });
});
