/** How the film is looked at: layout, overlays, grey values, zoom. The same in reading and drawing. */

import type { ViewAction } from "./keys";
import { STYLES, type Style } from "./overlay";
import { type ViewEvents, ViewPanel } from "./panel";
import type { Screen } from "./screen";

const PAN_PX = 60;
const ZOOM_STEP = 1.25;
const OPACITY_STEP = 0.1;

export class View implements ViewEvents {
  readonly panel = new ViewPanel(this);

  /** `onNothingToShow` hears that the candidates do not differ anywhere. */
  constructor(
    private readonly screen: Screen,
    private readonly onNothingToShow: () => void,
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
    const { look, grid, showsDisagreement, window, draws } = this.screen;
    this.panel.update({ look, grid, disagreement: showsDisagreement, inverted: window.isInverted, drawing: draws });
  }

  private toggleDisagreement(): void {
    this.screen.showsDisagreement = !this.screen.showsDisagreement;
    if (this.screen.showsDisagreement && !this.screen.differs) this.onNothingToShow();
    this.screen.invalidate(false);
  }
}
