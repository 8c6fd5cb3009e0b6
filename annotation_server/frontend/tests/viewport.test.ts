import { expect, it } from "vitest";

import { Viewport, Window, toFilm } from "../src/viewport";

const FILM = { width: 2000, height: 1000 };
const PANE = { width: 500, height: 500 };

it("shows the whole film in the middle at first", () => {
  expect(new Viewport().place(FILM, PANE)).toEqual({ scale: 0.25, left: 0, top: 125 });
});

it("keeps the point under the pointer when it zooms", () => {
  const viewport = new Viewport();
  viewport.zoomAt({ x: 250, y: 250 }, 4, FILM, PANE);
  const at = { x: 300, y: 220 };
  const before = toFilm(at, viewport.place(FILM, PANE));
  viewport.zoomAt(at, 1.7, FILM, PANE);
  const after = toFilm(at, viewport.place(FILM, PANE));
  expect(after.x).toBeCloseTo(before.x, 6);
  expect(after.y).toBeCloseTo(before.y, 6);
});

it("moves the film with the pointer, and not out of sight", () => {
  const viewport = new Viewport();
  viewport.zoomAt({ x: 250, y: 250 }, 4, FILM, PANE);
  const { left } = viewport.place(FILM, PANE);
  viewport.panBy(30, 0, FILM, PANE);
  expect(viewport.place(FILM, PANE).left).toBeCloseTo(left + 30, 6);
  viewport.panBy(1e6, 0, FILM, PANE);
  expect(viewport.place(FILM, PANE).left).toBeCloseTo(0, 6);
});

it("stands in the middle again at the smallest zoom", () => {
  const viewport = new Viewport();
  viewport.zoomAt({ x: 10, y: 10 }, 8, FILM, PANE);
  viewport.zoomAt({ x: 400, y: 90 }, 1e-3, FILM, PANE);
  expect(viewport.place(FILM, PANE)).toEqual({ scale: 0.25, left: 0, top: 125 });
});

it("maps grey values by window and level, and mirrors them when inverted", () => {
  const window = new Window();
  window.change(-0.5, 0.1);
  const { slope, intercept } = window.line;
  expect(slope * 0.35 + intercept).toBeCloseTo(0, 6);
  expect(slope * 0.85 + intercept).toBeCloseTo(1, 6);
  window.invert();
  expect(window.line.slope * 0.85 + window.line.intercept).toBeCloseTo(0, 6);
});

it("spreads a range of greys from black to white, and never one too narrow to see", () => {
  const window = new Window();
  window.spread({ low: 0.2, high: 0.6 });
  expect(window.line.slope * 0.2 + window.line.intercept).toBeCloseTo(0, 6);
  expect(window.line.slope * 0.6 + window.line.intercept).toBeCloseTo(1, 6);
  window.spread({ low: 0.5, high: 0.5 });
  expect(window.line.slope).toBeLessThanOrEqual(50);
});
