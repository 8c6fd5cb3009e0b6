import { expect, it } from "vitest";

import { type KeptDraft, Refused, Unreachable } from "../src/api";
import { Drafts } from "../src/drafts";
import type { Draft } from "../src/keeping";

const TOKEN = "token";

function draft(stroke: number, revision: number | null, unsent: boolean): Draft {
  return { token: TOKEN, slot: null, startedFrom: null, bits: Uint8Array.of(stroke), revision, unsent };
}

function onServer(stroke: number, revision: number): KeptDraft {
  return { slot: null, startedFrom: null, bits: Uint8Array.of(stroke), revision, ageS: 60 };
}

function start(here: Draft | undefined, there: KeptDraft | null | Error) {
  const dropped: string[] = [];
  const discarded: number[] = [];
  const api = {
    draft: () => (there instanceof Error ? Promise.reject(there) : Promise.resolve(there)),
    discardDraft: (_: string, revision: number) => Promise.resolve(void discarded.push(revision)),
  };
  const keeping = {
    draft: () => Promise.resolve(here),
    keepDraft: () => Promise.resolve(),
    dropDraft: (token: string) => Promise.resolve(void dropped.push(token)),
  };
  return { drafts: new Drafts(api, keeping), dropped, discarded };
}

async function strokesOf(drafts: Drafts): Promise<(number | undefined)[]> {
  const { draft: one, elsewhere } = await drafts.find(TOKEN);
  return [one?.bits[0], elsewhere?.bits[0]];
}

it.each([
  ["none", undefined, null, [undefined, undefined]],
  ["the server's, drawn in another browser", undefined, onServer(2, 5), [2, undefined]],
  ["the browser's, which was never sent", draft(1, null, true), null, [1, undefined]],
  ["the browser's, which goes on from the server's", draft(1, 5, true), onServer(2, 5), [1, undefined]],
  ["the server's, which goes on from the browser's", draft(1, 5, false), onServer(2, 6), [2, undefined]],
  ["both, where each has gone on alone", draft(1, 5, true), onServer(2, 6), [1, 2]],
  ["both, where each was begun alone", draft(1, null, true), onServer(2, 6), [1, 2]],
  ["one, where the answer of the server was lost", draft(2, 5, true), onServer(2, 6), [2, undefined]],
  ["none, where it was decided elsewhere", draft(1, 5, false), null, [undefined, undefined]],
  ["the browser's, without a connection", draft(1, 5, false), new Unreachable("no network"), [1, undefined]],
  ["the browser's, where the server refuses", draft(1, 5, true), new Refused(409, "state", "", ""), [1, undefined]],
] as const)("the draft that goes on is %s", async (_, here, there, expected) => {
  expect(await strokesOf(start(here, there).drafts)).toEqual(expected);
});

it("a draft that was decided elsewhere is forgotten here", async () => {
  const { drafts, dropped } = start(draft(1, 5, false), null);
  await drafts.find(TOKEN);
  expect(dropped).toEqual([TOKEN]);
});

it("a draft whose predecessor is gone begins anew", async () => {
  const { draft: one } = await start(draft(1, 5, true), null).drafts.find(TOKEN);
  expect(one?.revision).toBeNull();
});

it("a discarded draft is forgotten on both sides", async () => {
  const { drafts, dropped, discarded } = start(undefined, null);
  await drafts.discard(draft(1, 5, false));
  await drafts.discard(draft(1, null, true));
  expect(dropped).toEqual([TOKEN, TOKEN]);
  expect(discarded).toEqual([5]);
});
