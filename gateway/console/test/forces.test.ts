import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LayoutModel, LayoutParametersSchema } from "../src/gen/weft/compute/v1/layout_pb";
import { besides } from "../src/graph/beside";
import { FORCES, type NumberRow, pathOf, positionOf, SLIDER_STEPS, valueAt } from "../src/graph/forces";

const proto = readFileSync(new URL("../../../proto/weft/compute/v1/layout.proto", import.meta.url), "utf8");
const message = proto.slice(proto.indexOf("message LayoutParameters {"));

/** A field's comment and options, as the contract has them. */
function contractOf(name: string): { about: string; low: number; high: number } {
  const found = new RegExp(`((?:\\s*//[^\\n]*\\n)+)\\s*(?:optional )?\\w+ ${name} = \\d+([^;]*);`).exec(
    message,
  );
  if (!found) throw new Error(`${name} is not in the contract`);
  const bound = (word: string) => Number(new RegExp(`${word}: ([\\d.]+)`).exec(found[2])?.[1]);
  const about = found[1].replace(/\s*\/\/\s*/g, " ");
  return { about, low: bound("gte"), high: bound("lte") };
}

describe("the form of a layout's parameters", () => {
  it("has a row for each field of the contract", () => {
    const fields = LayoutParametersSchema.fields.map((field) => field.localName).sort();
    expect(FORCES.map((row) => row.field).sort(), "add a row to src/graph/forces.ts").toEqual(fields);
  });

  for (const row of FORCES) {
    it(`has the contract's range and default of ${row.field}`, () => {
      const { about, low, high } = contractOf(pathOf(row.field).slice("parameters.".length));
      if (row.kind === "number") {
        expect([row.low, row.high]).toEqual([low, high]);
        expect(Number(/([\d.,]+) by default/.exec(about)?.[1])).toBe(row.initial);
      } else {
        expect(row.choices.some(([value]) => value === row.initial)).toBe(true);
        const initial = row.field === "model" ? LayoutModel[Number(row.initial)] : String(row.initial);
        expect(/(\w+)\s+by\s+default/.exec(about)?.[1].toLowerCase()).toBe(initial.toLowerCase());
      }
    });
  }

  it("has sliders that reach both ends and find their way back", () => {
    for (const row of FORCES.filter((one): one is NumberRow => one.kind === "number")) {
      expect([valueAt(row, 0), valueAt(row, SLIDER_STEPS)]).toEqual([row.low, row.high]);
      expect([positionOf(row, row.low), positionOf(row, row.high)]).toEqual([0, SLIDER_STEPS]);
      for (let at = 1; at < SLIDER_STEPS; at++) {
        const value = valueAt(row, at);
        expect(value).toBeGreaterThanOrEqual(row.low);
        expect(value).toBeLessThanOrEqual(row.high);
        // Or an arrow key would not get on.
        expect(positionOf(row, value)).toBe(at);
      }
    }
  });
});

describe("the bar beside marked nodes", () => {
  const view = { width: 1000, height: 600 };
  const bar = { width: 300, height: 36 };

  it("stands above them, or below where there is no room", () => {
    expect(
      besides(
        [
          [400, 300],
          [600, 320],
        ],
        view,
        bar,
      ),
    ).toEqual([350, 242]);
    expect(
      besides(
        [
          [500, 30],
          [500, 200],
        ],
        view,
        bar,
      ),
    ).toEqual([350, 222]);
  });

  it("never leaves the view, nor covers the controls", () => {
    expect(besides([[5, 300]], view, bar)[0]).toBe(12);
    expect(besides([[995, 300]], view, bar)[0]).toBe(688);
    expect(
      besides(
        [
          [500, 10],
          [500, 595],
        ],
        view,
        bar,
      ),
    ).toEqual([350, 12]);
    expect(besides([[500, 598]], view, bar)[1]).toBeLessThanOrEqual(600 - 64 - 36);
    expect(besides([[-50, -50]], view, bar)).toEqual([350, 12]);
  });
});
