import { expect, it } from "vitest";

import { Choice, VisibleClock } from "../src/choice";

function seenAll(n = 5): Choice {
  const choice = new Choice(n);
  for (let slot = 0; slot < n; slot++) choice.markSeen(slot);
  return choice;
}

it("gives no verdict before every candidate was shown, and says which are missing", () => {
  const choice = new Choice(4);
  choice.select(1);
  choice.markSeen(1);
  choice.markSeen(3);
  for (const kind of ["pick", "touch_up", "deny_all", "no_infection"] as const) {
    expect(choice.missing(kind)).toEqual({ unseen: [0, 2] });
  }
  expect(choice.missing("unreadable")).toBeNull();
});

it("needs a selection for a pick, not for denying all", () => {
  const choice = seenAll();
  expect(choice.missing("pick")).toEqual({ selection: true });
  expect(choice.missing("deny_all")).toBeNull();
});

it("flips without selecting", () => {
  const choice = new Choice(5);
  choice.select(2);
  choice.flip(4);
  expect([choice.shown, choice.selected]).toEqual([4, 2]);
  choice.flip(null);
  expect(choice.shown).toBeNull();
  choice.flip(undefined);
  expect(choice.shown).toBe(2);
});

it("never marks the selected candidate as also acceptable", () => {
  const choice = seenAll();
  choice.select(0);
  expect(choice.toggleAlso(0)).toBe(false);
  choice.toggleAlso(3);
  choice.toggleAlso(2);
  choice.select(3);
  expect(choice.decide("pick")).toEqual({ kind: "pick", slot: 3, also_acceptable: [2], reason: null, confidence: null });
});

it("names slots only where a verdict has them", () => {
  const choice = seenAll();
  choice.select(0);
  choice.toggleAlso(1);
  expect(choice.decide("deny_all")).toEqual({ kind: "deny_all", slot: null, also_acceptable: [], reason: null, confidence: null });
  expect(choice.decide("unreadable", "quality").reason).toBe("quality");
});

it("opens an earlier verdict as it was", () => {
  const choice = new Choice(5, { kind: "pick", slot: 2, also_acceptable: [4], reason: null, confidence: 3 });
  expect([choice.selected, choice.alsoAcceptable, choice.unseen, choice.confidence]).toEqual([2, [4], [], 3]);
});

it("counts only the time during which the page could be seen", () => {
  let time = 1000;
  const clock = new VisibleClock(() => time);
  clock.turn(true);
  time += 300;
  clock.turn(false);
  time += 5000;
  clock.turn(true);
  time += 40;
  expect(clock.elapsed).toBe(340);
});
