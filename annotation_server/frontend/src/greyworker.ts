/** A worker that computes the grey values of one film, so that the page never waits for them. */

import { type Range, greyOf, localContrast, rangeOf, rgbaOf } from "./grey";

/** What the film's pixels tell, and the film with local contrast. */
export interface Greys {
  readonly plain: Range;
  readonly local: Range;
  readonly picture: ImageBitmap;
}

/** Reads the decoded film, on which nothing was drawn: the only pixels that the pages ever read. */
async function compute(blob: Blob): Promise<Greys> {
  const film = await createImageBitmap(blob);
  const { width, height } = film;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("This browser has no 2D canvas in workers.");
  context.drawImage(film, 0, 0);
  film.close();
  const grey = greyOf(context.getImageData(0, 0, width, height).data);
  const contrast = localContrast(grey, { width, height });
  const picture = await createImageBitmap(new ImageData(rgbaOf(contrast), width, height));
  return { plain: rangeOf(grey), local: rangeOf(contrast), picture };
}

self.onmessage = ({ data }: MessageEvent<Blob>): void => {
  compute(data).then(
    (greys) => self.postMessage(greys, { transfer: [greys.picture] }),
    () => self.postMessage(null),
  );
};
