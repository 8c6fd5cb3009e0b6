import { expect, it } from "vitest";

import type { SerialFilm } from "../src/api";
import { text } from "../src/messages";
import { nearest } from "../src/serial";

const film = (order: SerialFilm["order"], days: number | null = null): SerialFilm => ({ film_url: `${order}${days}`, order, days });

it("opens the last film before the present one, else the first of all", () => {
  expect(nearest([film("before", -20), film("before", -3), film("after", 4)]).days).toBe(-3);
  expect(nearest([film("after", 4), film("after", 9)]).days).toBe(4);
  expect(nearest([film("unknown")]).order).toBe("unknown");
});

it("says how a film stands to the present one, with days where they are known", () => {
  const said = [film("before", -14), film("after", 1), film("unknown", 0), film("before"), film("after"), film("unknown")];
  expect(said.map(text.serialFilm)).toEqual(["14 days before", "1 day after", "Same day", "Earlier", "Later", "Order unknown"]);
});
