// The parameters of a layout as rows of a form: their words, ranges and defaults.
// The ranges and defaults are the contract's; a test reads them there.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { LayoutModel, LayoutParametersSchema } from "../gen/weft/compute/v1/layout_pb";

export type Parameters = MessageInitShape<typeof LayoutParametersSchema>;
export type ParameterField = Exclude<keyof Parameters, "$typeName">;

interface Row {
  field: ParameterField;
  label: string;
  /** What it does, in a few words. */
  hint: string;
}

export interface NumberRow extends Row {
  kind: "number";
  unit: string;
  initial: number;
  low: number;
  high: number;
  /** Where small values matter as much as large ones: the slider's first step, from which it multiplies. */
  finest?: number;
}

export interface ChoiceRow extends Row {
  kind: "choice";
  initial: boolean | number;
  choices: readonly (readonly [value: boolean | number, words: string])[];
}

export type ForceRow = NumberRow | ChoiceRow;

export const FORCES: readonly ForceRow[] = [
  {
    kind: "choice",
    field: "model",
    label: "Forces of",
    hint: "How they depend on distances and on the numbers of neighbours",
    initial: LayoutModel.FORCE_ATLAS_2,
    choices: [
      [LayoutModel.FORCE_ATLAS_2, "ForceAtlas2"],
      [LayoutModel.FRUCHTERMAN_REINGOLD, "Fruchterman and Reingold"],
      [LayoutModel.D3, "d3"],
    ],
  },
  {
    kind: "number",
    field: "repulsion",
    label: "Repulsion",
    unit: "× nodes' weights ÷ distance",
    hint: "Nodes push each other away",
    initial: 10,
    low: 0,
    high: 1000,
    finest: 0.1,
  },
  {
    kind: "number",
    field: "attraction",
    label: "Attraction",
    unit: "× edge's weight",
    hint: "Edges pull",
    initial: 1,
    low: 0,
    high: 100,
    finest: 0.01,
  },
  {
    kind: "choice",
    field: "linLog",
    label: "Attraction grows",
    hint: "With its logarithm, groups lie further apart. Of ForceAtlas2 only",
    initial: false,
    choices: [
      [false, "with distance"],
      [true, "with its logarithm"],
    ],
  },
  {
    kind: "number",
    field: "gravity",
    label: "Gravity",
    unit: "× node's weight",
    hint: "Pull towards the centre",
    initial: 0.05,
    low: 0,
    high: 100,
    finest: 0.001,
  },
  {
    kind: "choice",
    field: "strongGravity",
    label: "Gravity grows",
    hint: "With distance, loose parts stay near",
    initial: true,
    choices: [
      [true, "with distance"],
      [false, "not at all"],
    ],
  },
  {
    kind: "number",
    field: "theta",
    label: "Opening angle",
    unit: "size ÷ distance",
    hint: "Of the far field. Small: exact and slow; large: rough and fast",
    initial: 1,
    low: 0.3,
    high: 1.5,
  },
  {
    kind: "number",
    field: "maxSpeed",
    label: "Top speed",
    unit: "of the diameter a step",
    hint: "How far a node may move in one step while the layout is hot",
    initial: 0.1,
    low: 0.0001,
    high: 1,
    finest: 0.0001,
  },
  {
    kind: "choice",
    field: "refine",
    label: "Refine",
    hint: "Draws neighbours together; the forces then count for the shape only",
    initial: false,
    choices: [
      [false, "no"],
      [true, "once it has its shape"],
    ],
  },
];

/** What a field mask calls it. */
export function pathOf(field: ParameterField): string {
  return `parameters.${LayoutParametersSchema.field[field].name}`;
}

/** Enough that no two positions of a slider are the same number, or an arrow key would not get on. */
const DIGITS = 4;

/** Positions of a slider, from 0. */
export const SLIDER_STEPS = 200;

/** The value at a position of a row's slider. The lowest value may be 0, which no multiplying leads to. */
export function valueAt({ low, high, finest }: NumberRow, position: number): number {
  if (position <= 0) return low;
  if (position >= SLIDER_STEPS) return high;
  const raw =
    finest === undefined
      ? low + ((high - low) * position) / SLIDER_STEPS
      : finest * (high / finest) ** (position / SLIDER_STEPS);
  return Math.min(high, Math.max(low, Number(raw.toPrecision(DIGITS))));
}

export function positionOf({ low, high, finest }: NumberRow, value: number): number {
  const share =
    finest === undefined
      ? (value - low) / (high - low)
      : Math.log(Math.max(value, finest) / finest) / Math.log(high / finest);
  return Math.round(Math.min(1, Math.max(0, share)) * SLIDER_STEPS);
}
