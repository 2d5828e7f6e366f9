// What may be painted with the lines of a chart.
import type uPlot from "uplot";
import type { Theme } from "../render/look";

export interface Overlay {
  /** Values that are to be in sight too. */
  least: number;
  most: number;
  /** Before the lines are drawn, and after. */
  under: (made: uPlot, shade: Theme) => void;
  over: (made: uPlot, shade: Theme) => void;
}
