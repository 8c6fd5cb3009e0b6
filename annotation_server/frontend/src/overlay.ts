/** Paints masks over the film: one colour and one stroke, whoever made the mask. */

import type { Point } from "./brush";
import { type Mask, type Rect, type Size, disagreement, extent, overlap, union, widened } from "./mask";
import { type Contour, allCells, contours } from "./outline";

export const STYLES = ["outline", "fill", "both"] as const;
export type Style = (typeof STYLES)[number];

export interface Look {
  readonly style: Style;
  /** From 0 to 1. */
  readonly opacity: number;
}

const COLOUR = { red: 255, green: 196, blue: 77 };
const STROKE = `rgb(${COLOUR.red} ${COLOUR.green} ${COLOUR.blue})`;
const HALO = "rgb(0 0 0 / 0.55)";
const STROKE_PX = 1.75;
const HALO_PX = 3.75;
const FILL_OPACITY = 0.4;
const LINE = "rgb(255 255 255)";
const CORNER_PX = 4;
const FINAL = "rgb(124 196 255)";
const FINAL_PX = 1.25;
const FINAL_DASH_PX = 4;

/** The outline of a mask, its corners rounded, scaled to `size`. */
export function outlinePath(mask: Mask, size: Size): Path2D {
  const path = new Path2D();
  const sx = size.width / mask.width;
  const sy = size.height / mask.height;
  for (const { points } of contours(mask)) {
    const n = points.length;
    const x = (i: number): number => points[i % n] * sx;
    const y = (i: number): number => points[(i + 1) % n] * sy;
    path.moveTo((x(0) + x(2)) / 2, (y(0) + y(2)) / 2);
    for (let i = 2; i <= n; i += 2) path.quadraticCurveTo(x(i), y(i), (x(i) + x(i + 2)) / 2, (y(i) + y(i + 2)) / 2);
    path.closePath();
  }
  return path;
}

/** Paints a candidate; the context's unit is a film pixel, `scale` CSS pixels large. */
export function paintCandidate(context: CanvasRenderingContext2D, outline: Path2D, look: Look, scale: number): void {
  if (look.style !== "outline") {
    context.globalAlpha = look.opacity * FILL_OPACITY;
    context.fillStyle = STROKE;
    context.fill(outline, "evenodd");
  }
  if (look.style !== "fill") strokePaths(context, [outline], look.opacity, scale);
}

function strokePaths(
  context: CanvasRenderingContext2D,
  paths: readonly Path2D[],
  opacity: number,
  scale: number,
  stroke = STROKE,
): void {
  context.globalAlpha = opacity;
  context.lineJoin = "round";
  for (const [colour, width] of [[HALO, HALO_PX], [stroke, STROKE_PX]] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width / scale;
    for (const path of paths) context.stroke(path);
  }
}

/** A small canvas that is lighter where the candidates disagree; null where nothing differs. */
export function disagreementImage(masks: readonly Mask[]): HTMLCanvasElement | null {
  const amounts = disagreement(masks);
  if (!amounts.some((amount) => amount > 0)) return null;
  const canvas = document.createElement("canvas");
  canvas.width = masks[0].width;
  canvas.height = masks[0].height;
  const image = new ImageData(canvas.width, canvas.height);
  amounts.forEach((amount, i) => image.data.set([92, 200, 255, amount >> 1], 4 * i));
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/** The line of a lasso or polygon on its way, in film pixels. */
export function paintLine(context: CanvasRenderingContext2D, points: readonly Point[], closes: boolean, scale: number): void {
  if (points.length === 0) return;
  const path = new Path2D();
  path.moveTo(points[0].x, points[0].y);
  for (const { x, y } of points) path.lineTo(x, y);
  if (closes) path.closePath();
  strokePaths(context, [path], 1, scale, LINE);
  const corners = closes ? [] : points.slice(0, 1);
  for (const { x, y } of corners) {
    context.beginPath();
    context.arc(x, y, CORNER_PX / scale, 0, 2 * Math.PI);
    context.fillStyle = LINE;
    context.fill();
  }
}

/** What a drawing will count as: a thin line of another colour and dashed, so that it does not hang on colour. */
export function paintFinal(context: CanvasRenderingContext2D, outline: Path2D, scale: number): void {
  context.globalAlpha = 1;
  context.strokeStyle = FINAL;
  context.lineWidth = FINAL_PX / scale;
  context.setLineDash([FINAL_DASH_PX / scale]);
  context.stroke(outline);
  context.setLineDash([]);
}

const TILE_PX = 64;

/**
 * A mask that changes under the brush: its fill is exact pixels, its outline is kept in tiles. What changed is brought
 * up to date once a frame, when it is painted.
 */
export class LiveOverlay {
  private readonly tiles = new Map<number, Path2D>();
  private readonly stale = new Set<number>();
  private readonly columns: number;
  /** Made when a fill is first shown: it takes four bytes a pixel. */
  private fill: CanvasRenderingContext2D | null = null;

  constructor(private readonly mask: Mask) {
    this.columns = Math.ceil((mask.width + 1) / TILE_PX);
    const rect = extent(mask);
    if (rect) this.update(rect);
  }

  /** The mask has changed in `rect`. */
  update(rect: Rect): void {
    for (let ty = Math.floor(rect.y / TILE_PX); ty <= Math.floor((rect.y + rect.height) / TILE_PX); ty++) {
      for (let tx = Math.floor(rect.x / TILE_PX); tx <= Math.floor((rect.x + rect.width) / TILE_PX); tx++) {
        this.stale.add(ty * this.columns + tx);
      }
    }
  }

  /** What has changed since it was painted, with what its stroke covers there; null if nothing has. */
  damage(scale: number): Rect | null {
    let found: Rect | null = null;
    for (const number of this.stale) found = union(found, this.tileOf(number));
    return found && widened(found, HALO_PX / scale);
  }

  /** Paints all of it, or what can be seen within `clip`. */
  paint(context: CanvasRenderingContext2D, look: Look, scale: number, clip: Rect | null = null): void {
    if (look.style !== "outline") this.prepareFill();
    this.refresh();
    if (this.fill && look.style !== "outline") {
      context.globalAlpha = look.opacity * FILL_OPACITY;
      context.imageSmoothingEnabled = scale < 2;
      context.drawImage(this.fill.canvas, 0, 0);
    }
    if (look.style === "fill") return;
    const seen = clip && widened(clip, HALO_PX / scale);
    const tiles = [...this.tiles].filter(([number]) => !seen || overlap(seen, this.tileOf(number)));
    strokePaths(context, tiles.map(([, path]) => path), look.opacity, scale); // prettier-ignore
  }

  private prepareFill(): void {
    if (this.fill) return;
    const { width, height } = this.mask;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    this.fill = canvas.getContext("2d");
    this.update({ x: 0, y: 0, width, height });
  }

  private refresh(): void {
    for (const number of this.stale) {
      const tile = this.tileOf(number);
      const found = contours(this.mask, tile);
      if (found.length > 0) this.tiles.set(number, straightPath(found));
      else this.tiles.delete(number);
      this.refill(tile);
    }
    this.stale.clear();
  }

  private tileOf(number: number): Rect {
    const cells = allCells(this.mask);
    const [x, y] = [(number % this.columns) * TILE_PX, Math.floor(number / this.columns) * TILE_PX];
    return { x, y, width: Math.min(TILE_PX, cells.width - x), height: Math.min(TILE_PX, cells.height - y) };
  }

  private refill({ x, y, width, height }: Rect): void {
    if (!this.fill) return;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const [colour] = new Uint32Array(Uint8Array.of(COLOUR.red, COLOUR.green, COLOUR.blue, 255).buffer);
    // A tile of cells reaches one pixel beyond the mask.
    const [right, bottom] = [Math.min(width, this.mask.width - x), Math.min(height, this.mask.height - y)];
    for (let row = 0; row < bottom; row++) {
      const start = (y + row) * this.mask.width + x;
      for (let column = 0; column < right; column++) {
        if (this.mask.pixels[start + column]) pixels[row * width + column] = colour;
      }
    }
    this.fill.putImageData(image, x, y);
  }
}

function straightPath(lines: readonly Contour[]): Path2D {
  const path = new Path2D();
  for (const { points, closed } of lines) {
    path.moveTo(points[0], points[1]);
    for (let i = 2; i < points.length; i += 2) path.lineTo(points[i], points[i + 1]);
    if (closed) path.closePath();
  }
  return path;
}
