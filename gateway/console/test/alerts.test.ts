// Alerts in words, and words as matchers.
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { durationOf, durationText, matchersOf, matcherText, pairsOf } from "../src/alerts/model";

test("matchers are read as they are written", () => {
  const text = 'host=~"n.*" site="a \\"b\\"" rack!=7, env!~"x"';
  const matchers = matchersOf(text);
  expect(matchers?.map(matcherText)).toEqual(['host=~"n.*"', 'site="a \\"b\\""', 'rack!="7"', 'env!~"x"']);
  expect(matchersOf("host")).toBeUndefined();
  expect(matchersOf("")).toBeUndefined();
  expect(matchersOf('host="a" !')).toBeUndefined();
});

test("labels and durations are read, or said to be none", () => {
  expect(pairsOf("a=b  c=d=e")).toEqual({ a: "b", c: "d=e" });
  expect(pairsOf("")).toEqual({});
  expect(pairsOf("a")).toBeUndefined();
  expect(durationOf(" ")).toBeUndefined();
  expect(durationOf("soon")).toBeNull();
  for (const text of ["90s", "5m", "4h", "7d"]) {
    const read = durationOf(text);
    expect(read && durationText(read)).toBe(text);
  }
  expect(durationText(durationFromMs(60_000))).toBe("1m");
});
