/** How the film is looked at: layout, overlays, grey values, zoom. The same in reading and drawing. */

import type { ViewAction } from "./keys";
import { text } from "./messages";
import { STYLES, type Style } from "./overlay";
import { type ViewEvents, ViewPanel } from "./panel";
import type { Screen } from "./screen";
import { TouchBar } from "./touchbar";

const PAN_PX = 60;
const ZOOM_STEP = 1.25;
const OPACITY_STEP = 0.1;
const SHADE_STEP = 0.04;

export class View implements ViewEvents {
  readonly panel = new ViewPanel(this);
  readonly touchbar = new TouchBar(this);

  /** `say` tells the reader what could not be done. */
  constructor(
    private readonly screen: Screen,
    private readonly say: (message: string) => void,
  ) {}

  run(action: ViewAction): void {
    this.actions[action]();
    this.update();
  }

  private readonly actions: Readonly<Record<ViewAction, () => void>> = {
    toggleGrid: () => this.setGrid(!this.screen.grid),
    overlayStyle: () => this.setStyle(STYLES[(STYLES.indexOf(this.screen.look.style) + 1) % STYLES.length]),
    lessOpaque: () => this.setOpacity(this.screen.look.opacity - OPACITY_STEP),
    moreOpaque: () => this.setOpacity(this.screen.look.opacity + OPACITY_STEP),
    disagreement: () => this.toggleDisagreement(),
    lungs: () => this.toggleLungs(),
    autoWindow: () => this.compute(this.screen.autoWindow()),
    contrast: () => this.compute(this.screen.toggleContrast()),
    wider: () => this.screen.shade(SHADE_STEP, 0),
    narrower: () => this.screen.shade(-SHADE_STEP, 0),
    brighter: () => this.screen.shade(0, -SHADE_STEP),
    darker: () => this.screen.shade(0, SHADE_STEP),
    dragGreys: () => this.toggleDrag(),
    invert: () => this.screen.invert(),
    reset: () => this.screen.reset(),
    zoomIn: () => this.screen.zoomBy(ZOOM_STEP),
    zoomOut: () => this.screen.zoomBy(1 / ZOOM_STEP),
    panLeft: () => this.screen.panBy(PAN_PX, 0),
    panRight: () => this.screen.panBy(-PAN_PX, 0),
    panUp: () => this.screen.panBy(0, PAN_PX),
    panDown: () => this.screen.panBy(0, -PAN_PX),
  };

  setGrid(grid: boolean): void {
    if (!this.screen.draws) this.screen.setGrid(grid);
    this.update();
  }

  setStyle(style: Style): void {
    this.screen.look = { ...this.screen.look, style };
    this.screen.invalidate(false);
    this.update();
  }

  setOpacity(opacity: number): void {
    const held = Math.min(1, Math.max(OPACITY_STEP, Math.round(opacity * 10) / 10));
    this.screen.look = { ...this.screen.look, opacity: held };
    this.screen.invalidate(false);
    this.update();
  }

  hideOverlays(hidden: boolean): void {
    this.screen.hidden = hidden;
    this.screen.invalidate(false);
  }

  update(): void {
    const { look, grid, contrast, window, draws: drawing, shades: shading } = this.screen;
    const { showsDisagreement: disagreement, showsLungs: lungs } = this.screen;
    const state = { look, grid, disagreement, lungs, contrast, inverted: window.isInverted, drawing, shading };
    this.panel.update(state);
    this.touchbar.update(state);
  }

  private compute(work: Promise<void>): void {
    void work.then(
      () => this.update(),
      () => this.say(text.noGreys),
    );
  }

  private toggleDrag(): void {
    this.screen.shades = !this.screen.shades;
    if (this.screen.shades) this.say(text.dragGreysHint);
  }

  private toggleDisagreement(): void {
    this.screen.showsDisagreement = !this.screen.showsDisagreement;
    if (this.screen.showsDisagreement && !this.screen.differs) this.say(text.noDisagreement);
    this.screen.invalidate(false);
  }

  private toggleLungs(): void {
    this.screen.showsLungs = !this.screen.showsLungs;
    if (this.screen.showsLungs && !this.screen.hasLungs) this.say(text.noLungs);
    this.screen.invalidate(false);
  }
}
