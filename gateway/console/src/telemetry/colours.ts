// Colours of lines: told apart by people who see few, and readable on either ground.
import type { Theme } from "../render/look";

const DARK = [
  "#3cc9b9",
  "#f0b03f",
  "#7aa8ff",
  "#ff8a84",
  "#c39bff",
  "#9bd16a",
  "#ff9bd0",
  "#5fd0ff",
  "#d9c27a",
  "#b0bac4",
];
const LIGHT = [
  "#0b7a75",
  "#a85d00",
  "#2458c9",
  "#b3262b",
  "#7a3fc2",
  "#437a14",
  "#ad2f78",
  "#00709e",
  "#7a6512",
  "#55626e",
];

export function colourOf(theme: Theme, at: number): string {
  const colours = theme === "dark" ? DARK : LIGHT;
  return colours[at % colours.length];
}
