// Takes a picture of the view: as pixels of any fineness, or as shapes.
import type { Shown } from "../graph/scene";
import { count } from "../ui/format";
import { drawingOf, MOST_ELEMENTS } from "./drawing";
import { svgOf } from "./svg";

/** Pixels that a picture may have: a quarter of a gigabyte while it is made. */
const MOST_PIXELS = 64 << 20;

export interface Size {
  width: number;
  height: number;
  /** Whether this browser can make it. */
  fits: boolean;
}

/** How large a picture is that is so many times as fine as CSS pixels are. */
export function sizeOf(view: { width: number; height: number }, scale: number, largestSide: number): Size {
  const width = Math.round(view.width * scale);
  const height = Math.round(view.height * scale);
  return { width, height, fits: Math.max(width, height) <= largestSide && width * height <= MOST_PIXELS };
}

/** The name of a file: the graph, and when. */
export function fileName(graph: string, at: Date, extension: string): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${graph}-${day}-${two(at.getHours())}${two(at.getMinutes())}${two(at.getSeconds())}.${extension}`;
}

export async function takePng(shown: Shown, scale: number, transparent: boolean): Promise<Blob> {
  const image = shown.renderer.picture(scale, transparent, shown.now);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  if (!image || !context) throw new Error("There is no memory for a picture of this size.");
  canvas.width = image.width;
  canvas.height = image.height;
  context.putImageData(image, 0, 0);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  shown.write(context);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("There is no memory for a picture of this size.");
  return blob;
}

/** Throws, in words for people, where there is too much in view. */
export function takeSvg(shown: Shown, title: string, transparent: boolean): Blob {
  const drawing = drawingOf(shown);
  if ("tooMany" in drawing)
    throw new Error(
      `${count(drawing.tooMany)} shapes are in view, and an SVG of more than ${count(MOST_ELEMENTS)} opens nowhere with ease. Save a PNG, zoom in, or hide the edges.`,
    );
  const { model, renderer } = shown;
  const description = `${count(model.liveNodeCount)} nodes, ${count(model.edgeCount)} edges, revision ${count(model.revision)}`;
  const text = svgOf(drawing, { title, description, look: renderer.look, transparent });
  return new Blob([text], { type: "image/svg+xml" });
}
