/**
 * The outline of a mask, by marching squares: lines between the middles of pixel edges, the mask on their right.
 * Pixels that touch at a corner only stay apart.
 */

import type { Mask, Rect } from "./mask";

export interface Contour {
  /** x, y, x, y, ... in pixels of the mask. */
  readonly points: Float32Array;
  /** Whether the last point joins the first. Only the outline of a part of a mask has open contours. */
  readonly closed: boolean;
}

const [Top, Right, Bottom, Left] = [0, 1, 2, 3] as const;

/** For each cell, by its set corners (1 north-west, 2 north-east, 4 south-west, 8 south-east): from edge, to edge. */
const STEPS: readonly (readonly number[])[] = [
  [], [Top, Left], [Right, Top], [Right, Left],
  [Left, Bottom], [Top, Bottom], [Right, Top, Left, Bottom], [Right, Bottom],
  [Bottom, Right], [Top, Left, Bottom, Right], [Bottom, Top], [Bottom, Left],
  [Left, Right], [Top, Right], [Left, Top], [],
]; // prettier-ignore

/** All cells of a mask: the corners between its pixels, its border included. */
export function allCells(mask: Mask): Rect {
  return { x: 0, y: 0, width: mask.width + 1, height: mask.height + 1 };
}

/** The contours in `cells`; cell (x, y) lies between the centres of the pixels (x - 1, y - 1) and (x, y). */
export function contours(mask: Mask, cells: Rect = allCells(mask)): Contour[] {
  return chain(steps(mask, cells), 2 * mask.width + 3);
}

/** Directed steps between middles of edges. A middle is one number: its doubled coordinates, row by row. */
function steps(mask: Mask, cells: Rect): Map<number, number> {
  const { width, height, pixels } = mask;
  const stride = 2 * width + 3;
  const offset = [1, stride + 2, 2 * stride + 1, stride];
  const next = new Map<number, number>();
  const at = (x: number, y: number): number => (x < 0 || y < 0 || x >= width || y >= height ? 0 : pixels[y * width + x]);
  for (let y = cells.y; y < cells.y + cells.height; y++) {
    let west = at(cells.x - 1, y - 1) | (at(cells.x - 1, y) << 2);
    for (let x = cells.x; x < cells.x + cells.width; x++) {
      const east = at(x, y - 1) | (at(x, y) << 2);
      const path = STEPS[west | (east << 1)];
      const origin = 2 * y * stride + 2 * x;
      for (let i = 0; i < path.length; i += 2) next.set(origin + offset[path[i]], origin + offset[path[i + 1]]);
      west = east;
    }
  }
  return next;
}

function chain(next: Map<number, number>, stride: number): Contour[] {
  const reached = new Set(next.values());
  const found: Contour[] = [];
  const follow = (start: number): void => {
    const points: number[] = [];
    let at: number | undefined = start;
    while (at !== undefined) {
      points.push((at % stride) / 2 - 0.5, Math.floor(at / stride) / 2 - 0.5);
      const to: number | undefined = next.get(at);
      next.delete(at);
      at = to === start ? undefined : to;
      if (to === start) found.push({ points: Float32Array.from(points), closed: true });
      else if (to === undefined) found.push({ points: Float32Array.from(points), closed: false });
    }
  };
  for (const start of [...next.keys()]) if (!reached.has(start)) follow(start);
  while (next.size > 0) follow(next.keys().next().value as number);
  return found;
}
