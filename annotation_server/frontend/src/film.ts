/** A comparison's film and candidates, decoded and ready to paint. */

import type { Api, Comparison } from "./api";
import type { Greys } from "./greyworker";
import { loadLungs } from "./lungs";
import { type Mask, type Size, unpackBundle } from "./mask";
import { outlinePath } from "./overlay";

const SMALLEST_PX = 512;

/** The film at full, half, quarter ... resolution, so that a small pane does not sample a large picture. */
export class Film implements Size {
  private contrast: readonly ImageBitmap[] = [];
  private asked: Promise<Greys> | null = null;
  private isClosed = false;

  private constructor(
    readonly width: number,
    readonly height: number,
    private readonly blob: Blob,
    private readonly levels: readonly ImageBitmap[],
  ) {}

  static async decode(blob: Blob, { width, height }: Size): Promise<Film> {
    return new Film(width, height, blob, await halvings(await createImageBitmap(blob)));
  }

  /** What its grey values are; then it can be painted with local contrast, too. Computed once, beside the page. */
  greys(): Promise<Greys> {
    this.asked ??= computeGreys(this.blob).then(async (greys) => {
      this.contrast = await halvings(greys.picture);
      if (this.isClosed) this.close();
      return greys;
    });
    return this.asked;
  }

  /** Draws the film in its own pixels; `scale` is device pixels a film pixel. */
  paint(context: CanvasRenderingContext2D, scale: number, withContrast: boolean): void {
    const levels = withContrast && this.contrast.length > 0 ? this.contrast : this.levels;
    const wanted = this.width * scale;
    const level = levels.findLast((one) => one.width >= wanted) ?? levels[0];
    context.imageSmoothingQuality = "high";
    context.drawImage(level, 0, 0, this.width, this.height);
  }

  close(): void {
    this.isClosed = true;
    for (const level of [...this.levels, ...this.contrast]) level.close();
  }
}

async function halvings(picture: ImageBitmap): Promise<readonly ImageBitmap[]> {
  const levels = [picture];
  for (let last = picture; Math.min(last.width, last.height) >= 2 * SMALLEST_PX; last = levels[levels.length - 1]) {
    const [resizeWidth, resizeHeight] = [last.width >> 1, last.height >> 1];
    levels.push(await createImageBitmap(last, { resizeWidth, resizeHeight, resizeQuality: "high" }));
  }
  return levels;
}

function computeGreys(film: Blob): Promise<Greys> {
  const worker = new Worker(new URL("./greyworker.ts", import.meta.url), { type: "module" });
  return new Promise<Greys>((resolve, reject) => {
    const fail = (): void => reject(new Error("This browser did not compute the grey values."));
    worker.onmessage = ({ data }: MessageEvent<Greys | null>) => (data ? resolve(data) : fail());
    worker.onerror = fail;
    worker.postMessage(film);
  }).finally(() => worker.terminate());
}

export interface LoadedCase {
  readonly comparison: Comparison;
  readonly film: Film;
  /** Candidates on the canonical grid, by slot. */
  readonly masks: readonly Mask[];
  /** Their outlines in film pixels. */
  readonly outlines: readonly Path2D[];
  /** The outline of the lungs in film pixels, null if there is none. */
  readonly lungs: Path2D | null;
}

export async function loadCase(api: Api, comparison: Comparison): Promise<LoadedCase> {
  const size = { width: comparison.width_px, height: comparison.height_px };
  const grid = { width: comparison.grid_width_px, height: comparison.grid_height_px };
  const [film, bundle, lungs] = await Promise.all([
    api.media(comparison.film_url).then((blob) => Film.decode(blob, size)),
    api.media(comparison.bundle_url).then((blob) => blob.arrayBuffer()),
    loadLungs(api, comparison),
  ]);
  const masks = unpackBundle(new Uint8Array(bundle), comparison.n_candidates, grid);
  return { comparison, film, masks, outlines: masks.map((mask) => outlinePath(mask, size)), lungs };
}
