import { describe, expect, it } from "vitest";
import { encloses } from "../src/render/lasso";

describe("the lasso", () => {
  const notched = [
    [0, 0],
    [10, 0],
    [10, 10],
    [5, 5],
    [0, 10],
  ] as const;

  it("takes what is inside, and not what is in a notch", () => {
    expect(encloses(notched, 2, 2)).toBe(true);
    expect(encloses(notched, 5, 4)).toBe(true);
    expect(encloses(notched, 5, 8)).toBe(false);
    expect(encloses(notched, 11, 5)).toBe(false);
  });

  it("takes nothing while it is no more than a line", () => {
    expect(encloses([], 0, 0)).toBe(false);
    expect(
      encloses(
        [
          [0, 0],
          [10, 10],
        ],
        5,
        5,
      ),
    ).toBe(false);
  });
});
