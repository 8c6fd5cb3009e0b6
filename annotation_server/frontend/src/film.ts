/** A comparison's film and candidates, decoded and ready to paint. */

import type { Api, Comparison } from "./api";
import { type Mask, type Size, unpackBundle } from "./mask";
import { outlinePath } from "./overlay";

const SMALLEST_PX = 512;

/** The film at full, half, quarter ... resolution, so that a small pane does not sample a large picture. */
export class Film implements Size {
  private constructor(
    readonly width: number,
    readonly height: number,
    private readonly levels: readonly ImageBitmap[],
  ) {}

  static async decode(blob: Blob, { width, height }: Size): Promise<Film> {
    const levels = [await createImageBitmap(blob)];
    for (let last = levels[0]; Math.min(last.width, last.height) >= 2 * SMALLEST_PX; last = levels[levels.length - 1]) {
      const [resizeWidth, resizeHeight] = [last.width >> 1, last.height >> 1];
      levels.push(await createImageBitmap(last, { resizeWidth, resizeHeight, resizeQuality: "high" }));
    }
    return new Film(width, height, levels);
  }

  /** Draws the film in its own pixels; `scale` is device pixels a film pixel. */
  paint(context: CanvasRenderingContext2D, scale: number): void {
    const wanted = this.width * scale;
    const level = this.levels.findLast((one) => one.width >= wanted) ?? this.levels[0];
    context.imageSmoothingQuality = "high";
    context.drawImage(level, 0, 0, this.width, this.height);
  }

  close(): void {
    for (const level of this.levels) level.close();
  }
}

export interface LoadedCase {
  readonly comparison: Comparison;
  readonly film: Film;
  /** Candidates on the canonical grid, by slot. */
  readonly masks: readonly Mask[];
  /** Their outlines in film pixels. */
  readonly outlines: readonly Path2D[];
}

export async function loadCase(api: Api, comparison: Comparison): Promise<LoadedCase> {
  const size = { width: comparison.width_px, height: comparison.height_px };
  const grid = { width: comparison.grid_width_px, height: comparison.grid_height_px };
  const [film, bundle] = await Promise.all([
    api.media(comparison.film_url).then((blob) => Film.decode(blob, size)),
    api.media(comparison.bundle_url).then((blob) => blob.arrayBuffer()),
  ]);
  const masks = unpackBundle(new Uint8Array(bundle), comparison.n_candidates, grid);
  return { comparison, film, masks, outlines: masks.map((mask) => outlinePath(mask, size)) };
}
