import { describe, expect, it } from "vitest";
import { LOOKS } from "../src/render/look";
import { clip } from "../src/snapshot/drawing";
import { escapeXml, svgOf } from "../src/snapshot/svg";
import { fileName, sizeOf } from "../src/snapshot/take";

describe("a picture of the view", () => {
  it("cuts lines off where the view ends, and leaves out those beside it", () => {
    expect(clip([10, 10], [90, 40], 100, 50)).toEqual({ from: [10, 10], to: [90, 40] });
    const cut = clip([-1000, 25], [1000, 25], 100, 50);
    expect(cut?.from[0]).toBeCloseTo(-4);
    expect(cut?.to[0]).toBeCloseTo(104);
    expect(cut?.to[1]).toBeCloseTo(25);
    // Past a corner: both ends are beyond different sides.
    expect(clip([-60, 30], [30, 140], 100, 50)).toBeNull();
    expect(clip([-10, -10], [-10, 400], 100, 50)).toBeNull();
    expect(clip([5, 5], [5, 5], 100, 50)).toEqual({ from: [5, 5], to: [5, 5] });
  });

  it("is SVG that stands on its own, whatever nodes are called", () => {
    const text = svgOf(
      {
        width: 200,
        height: 100,
        strokes: [{ from: [0, 0], to: [9.999, 5], color: [255, 0, 16], width: 1, opacity: 0.25 }],
        arrows: [
          {
            corners: [
              [1, 2],
              [3, 4],
              [5, 6],
            ],
            color: [0, 0, 0],
          },
        ],
        discs: [
          { x: 10, y: 20, radius: 3, color: [1, 2, 3], opacity: 1, rim: 0, ring: 0 },
          { x: 11, y: 21, radius: 7, color: [1, 2, 3], opacity: 0.16, rim: 0.85, ring: 1 },
        ],
        names: [{ text: 'a<b & "c"\u0007', large: true, x: 14, y: 20, opacity: 1 }],
      },
      { title: "T & U", description: "two", look: LOOKS.light, transparent: true },
    );
    expect(text).toContain("<title>T &amp; U</title>");
    expect(text).toContain("a&lt;b &amp; &quot;c&quot;\ufffd</text>");
    expect(text).toContain('x2="10" y2="5" stroke="#ff0010" stroke-width="1" stroke-opacity="0.25"');
    expect(text.match(/<circle /g)).toHaveLength(3);
    // A halo is behind the letters of its own name, which is there once.
    expect(text.match(/<text /g)).toHaveLength(1);
    expect(text).toMatch(/<g class="names"[^>]* stroke="[^"]+"[^>]* paint-order="stroke">/);
    expect(text).not.toContain("<rect");
    const opened = text.match(/<(?![/?])[a-z]+[^>]*[^/]>/g)?.length;
    expect(opened).toBe(text.match(/<\/[a-z]+>/g)?.length);
  });

  it("replaces what XML cannot hold", () => {
    expect(escapeXml("a\u0000\ud800b\u{1f600}")).toBe("a\ufffd\ufffdb\u{1f600}");
  });

  it("is as large as asked, where a browser can draw that", () => {
    const view = { width: 1280, height: 720 };
    expect(sizeOf(view, 2, 8192)).toEqual({ width: 2560, height: 1440, fits: true });
    expect(sizeOf(view, 8, 8192).fits).toBe(false);
    expect(sizeOf({ width: 8000, height: 8000 }, 2, 16384).fits).toBe(false);
  });

  it("is called after the graph and the time", () => {
    expect(fileName("debian", new Date(2026, 10, 3, 9, 5, 7), "svg")).toBe("debian-2026-11-03-090507.svg");
  });
});
