// Colours. The categorical ones are spread in lightness as well as in hue, so
// that they stay apart for people who see fewer hues; blue to orange is the
// ordinal ramp, for the same reason.

export type Theme = "dark" | "light";

export interface Look {
  background: string;
  categories: readonly string[];
  other: string;
  ramp: readonly string[];
  ring: string;
  label: string;
  labelHalo: string;
  edgeGlow: number;
  edgeStrength: number;
  edgeShade: number;
}

export const LOOKS: Record<Theme, Look> = {
  dark: {
    background: "#0d1116",
    categories: [
      "#5cb8f0",
      "#f0a43a",
      "#3ecf9a",
      "#ef6f6c",
      "#b79bf2",
      "#e8e06b",
      "#4f86f7",
      "#f5a3c7",
      "#8bd450",
      "#c9865a",
    ],
    other: "#76818d",
    ramp: ["#2f5f9e", "#3f8fc4", "#7cc0c9", "#e9d79a", "#f2a552", "#ee6a3c"],
    ring: "#ffffff",
    label: "#e9eef3",
    labelHalo: "#0d1116",
    edgeGlow: 0.3,
    edgeStrength: 1,
    edgeShade: 0.68,
  },
  light: {
    background: "#fbfbfa",
    categories: [
      "#2284c4",
      "#d97a06",
      "#0e9467",
      "#cf3f45",
      "#7a55cf",
      "#9a8a00",
      "#1f4fb5",
      "#c8508f",
      "#4f9410",
      "#8a5230",
    ],
    other: "#8b949c",
    ramp: ["#a8c4e0", "#6fa5d0", "#4a8f9f", "#b29438", "#d3781f", "#b23c12"],
    ring: "#14181c",
    label: "#1b2126",
    labelHalo: "#fbfbfa",
    edgeGlow: 0,
    edgeStrength: 0.85,
    edgeShade: 1,
  },
};

export function rgb(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export function unit(hex: string): [number, number, number] {
  const [r, g, b] = rgb(hex);
  return [r / 255, g / 255, b / 255];
}

/** A place on a ramp, 0 to 1, as bytes. */
export function onRamp(ramp: readonly string[], t: number): [number, number, number] {
  const at = Math.min(0.9999, Math.max(0, t)) * (ramp.length - 1);
  const [a, b] = [rgb(ramp[Math.floor(at)]), rgb(ramp[Math.floor(at) + 1])];
  const part = at - Math.floor(at);
  return [0, 1, 2].map((i) => Math.round(a[i] + (b[i] - a[i]) * part)) as [number, number, number];
}
