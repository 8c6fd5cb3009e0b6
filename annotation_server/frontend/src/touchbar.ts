/** What only keys and the right mouse button do otherwise, as large buttons beside the film; shown where fingers point. */

import { command, h, press } from "./dom";
import type { ViewAction } from "./keys";
import { text } from "./messages";
import type { ViewEvents, ViewState } from "./panel";

export class TouchBar {
  readonly element: HTMLElement;
  private readonly shading: HTMLButtonElement;
  private readonly contrast: HTMLButtonElement;
  private readonly invert: HTMLButtonElement;

  constructor(events: Pick<ViewEvents, "run" | "hideOverlays">) {
    const run = (label: string, action: ViewAction): HTMLButtonElement => command(label, "", () => events.run(action));
    this.shading = run(text.dragGreys, "dragGreys");
    this.contrast = run(text.contrast, "contrast");
    this.invert = run(text.invert, "invert");
    const hide = command(text.holdToHide, "", () => undefined);
    hide.addEventListener("pointerdown", () => events.hideOverlays(true));
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) hide.addEventListener(end, () => events.hideOverlays(false));
    this.element = h(
      "div",
      { class: "touchbar", role: "group", "aria-label": text.touchbar },
      this.shading,
      run(text.autoWindow, "autoWindow"),
      this.contrast,
      this.invert,
      run(text.reset, "reset"),
      hide,
    );
  }

  update(state: ViewState): void {
    press(this.shading, state.shading);
    press(this.contrast, state.contrast);
    press(this.invert, state.inverted);
  }
}
