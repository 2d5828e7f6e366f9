// A drawing as an SVG file that stands on its own.
import { FACES, FAMILY } from "../render/labels";
import type { Look } from "../render/look";
import type { Drawing } from "./drawing";

export interface SvgOptions {
  title: string;
  description: string;
  look: Look;
  transparent: boolean;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** As XML takes it: most control characters cannot be written at all. */
export function escapeXml(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is meant
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd")
      .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd")
      .replace(/[&<>"]/g, (character) => ENTITIES[character])
  );
}

const n = (value: number) => String(Math.round(value * 100) / 100);
const hex = (color: readonly number[]) =>
  `#${color.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;
const opacity = (value: number, of = "opacity") => (value < 0.995 ? ` ${of}="${n(value)}"` : "");

export function svgOf(drawing: Drawing, { title, description, look, transparent }: SvgOptions): string {
  const { width, height } = drawing;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${n(width)}" height="${n(height)}" viewBox="0 0 ${n(width)} ${n(height)}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<desc>${escapeXml(description)}</desc>`,
  ];
  if (!transparent) out.push(`<rect width="100%" height="100%" fill="${look.background}"/>`);
  out.push('<g class="edges" fill="none">');
  for (const { from, to, color, width, opacity: alpha } of drawing.strokes)
    out.push(
      `<line x1="${n(from[0])}" y1="${n(from[1])}" x2="${n(to[0])}" y2="${n(to[1])}" stroke="${hex(color)}" stroke-width="${n(width)}" stroke-opacity="${String(Math.round(alpha * 1000) / 1000)}"/>`,
    );
  out.push("</g>", '<g class="arrows">');
  for (const { corners, color } of drawing.arrows)
    out.push(
      `<polygon points="${corners.map(([x, y]) => `${n(x)},${n(y)}`).join(" ")}" fill="${hex(color)}"/>`,
    );
  out.push("</g>", '<g class="nodes">');
  for (const { x, y, radius, color, opacity: alpha, rim, ring } of drawing.discs) {
    const at = `cx="${n(x)}" cy="${n(y)}"`;
    const edge =
      rim > 0 ? ` stroke="${look.background}" stroke-width="1.3"${opacity(rim, "stroke-opacity")}` : "";
    out.push(`<circle ${at} r="${n(radius)}" fill="${hex(color)}"${edge}${opacity(alpha)}/>`);
    if (ring > 0)
      out.push(
        `<circle class="ring" ${at} r="${n(radius + 3)}" fill="none" stroke="${look.ring}" stroke-width="2"${opacity(ring)}/>`,
      );
  }
  out.push(
    "</g>",
    `<g class="names" font-family="${escapeXml(FAMILY)}" fill="${look.label}" stroke="${look.labelHalo}" stroke-width="3" stroke-linejoin="round" paint-order="stroke">`,
  );
  for (const { text, large, x, y, opacity: alpha } of drawing.names) {
    const { weight, size } = FACES[large ? 1 : 0];
    // From the middle to the line that letters stand on: not every program can do that by itself.
    out.push(
      `<text x="${n(x)}" y="${n(y + size * 0.35)}" font-size="${size}" font-weight="${weight}"${opacity(alpha)}>${escapeXml(text)}</text>`,
    );
  }
  out.push("</g>", "</svg>", "");
  return out.join("\n");
}
