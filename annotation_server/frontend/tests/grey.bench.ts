/** What the grey values of the largest film take, in the worker: `python hatch_build.py bench`. */

import { bench } from "vitest";

import { greyOf, localContrast, rangeOf, rgbaOf } from "../src/grey";
import { randomNumbers } from "./random";

const FILM = { width: 2048, height: 2048 };
const ONCE = { iterations: 8, time: 0, warmupIterations: 2, warmupTime: 0 };
const random = randomNumbers(1);
const grey = Uint8Array.from({ length: FILM.width * FILM.height }, () => random(256));
const rgba = rgbaOf(grey);

bench("local contrast", () => void localContrast(grey, FILM), ONCE);
bench("range", () => void rangeOf(grey), ONCE);
bench("from the browser's pixels", () => void greyOf(rgba), ONCE);
bench("to the browser's pixels", () => void rgbaOf(grey), ONCE);
