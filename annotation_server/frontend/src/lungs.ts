/** The outline of the lungs, where a film came with a lung mask: something to look by, the same for every reader. */

import type { Api, Comparison } from "./api";
import { unpack } from "./mask";
import { outlinePath } from "./overlay";

const COLOUR = "rgb(140 214 206)";
const HALO = "rgb(0 0 0 / 0.45)";
const STROKE_PX = 1.25;
const HALO_PX = 2.75;
const OPACITY = 0.8;

/** The outline in film pixels, null if the film has none. */
export async function loadLungs(api: Api, comparison: Comparison): Promise<Path2D | null> {
  if (comparison.lungs_url === null) return null;
  const bits = await (await api.media(comparison.lungs_url)).arrayBuffer();
  const mask = unpack(new Uint8Array(bits), { width: comparison.grid_width_px, height: comparison.grid_height_px });
  return outlinePath(mask, { width: comparison.width_px, height: comparison.height_px });
}

/** Paints it thinner and paler than any candidate; the context's unit is a film pixel, `scale` CSS pixels large. */
export function paintLungs(context: CanvasRenderingContext2D, outline: Path2D, scale: number): void {
  context.globalAlpha = OPACITY;
  context.lineJoin = "round";
  for (const [colour, width] of [[HALO, HALO_PX], [COLOUR, STROKE_PX]] as const) {
    context.strokeStyle = colour;
    context.lineWidth = width / scale;
    context.stroke(outline);
  }
}
