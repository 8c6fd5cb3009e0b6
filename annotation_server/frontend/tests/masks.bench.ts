/** What the tools take on a film of 4000 x 4000 pixels: `python hatch_build.py bench`. */

import { bench } from "vitest";

import { sweep } from "../src/brush";
import { canonicalMask } from "../src/canonical";
import { History } from "../src/history";
import { type Mask, blank } from "../src/mask";
import { fillHoles, removeSpecks } from "../src/parts";
import { fillRegion } from "../src/region";
import { randomNumbers } from "./random";

const FILM = { width: 4000, height: 4000 };
const ONCE = { iterations: 5, time: 0, warmupIterations: 1, warmupTime: 0 };

/** Long strokes that enclose holes, and a thousand specks. */
function drawing(): Mask {
  const random = randomNumbers(3);
  const mask = blank(FILM);
  const anywhere = () => ({ x: random(FILM.width), y: random(FILM.height) });
  for (let i = 0; i < 60; i++) sweep(mask, anywhere(), anywhere(), 60, 1);
  for (let i = 0; i < 2000; i++) {
    const at = anywhere();
    sweep(mask, at, at, 5, i % 2 === 0 ? 1 : 0);
  }
  return mask;
}

function circle(radius: number, nPoints: number) {
  const angles = Array.from({ length: nPoints }, (_, i) => (i / nPoints) * 2 * Math.PI);
  return angles.map((angle) => ({ x: 2000 + radius * Math.cos(angle), y: 2000 + radius * Math.sin(angle) }));
}

const plain = drawing();
const history = new History(drawing());
let mask: Mask;
const again = { setup: () => void (mask = { ...plain, pixels: plain.pixels.slice() }) };

bench("fill holes", () => void fillHoles(mask), { ...ONCE, ...again });
bench("remove specks", () => void removeSpecks(mask, 100), { ...ONCE, ...again });
bench("lasso 3800 pixels wide", () => void fillRegion(mask, circle(1900, 3000), 1), { ...ONCE, ...again });
bench("lasso 200 pixels wide", () => void fillRegion(mask, circle(100, 500), 1), { ...ONCE, ...again });
bench("what it will count as", () => void canonicalMask(mask, { width: 448, height: 448 }), { ...ONCE, ...again });
bench("the end of an action that may have changed everything", () => {
  history.touch({ x: 0, y: 0, ...FILM });
  history.commit();
}, ONCE); // prettier-ignore
