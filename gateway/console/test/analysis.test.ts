// The forms of analyses: what is refused, and what is sent.
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { algorithmOf, blank, CHOICES, problemOf } from "../src/analysis/algorithms";
import { newer, progressOf, short } from "../src/analysis/analyses";
import { AlgorithmSchema } from "../src/gen/weft/compute/v1/algorithms_pb";
import { AnalysisPhase, AnalysisSchema, AnalysisState } from "../src/gen/weft/compute/v1/analysis_pb";

describe("the forms", () => {
  it("are for every algorithm of the contract, and send what it takes", () => {
    const kinds = AlgorithmSchema.oneofs[0].fields.map((field) => field.localName).sort();
    expect(CHOICES.map((choice) => choice.kind).sort()).toEqual(kinds);
    for (const choice of CHOICES) {
      const form = blank(choice, "n");
      expect(choice.fields.map((field) => problemOf(field, form[field.name])).filter(Boolean)).toEqual([]);
      const algorithm = create(AlgorithmSchema, { kind: algorithmOf(choice, form) });
      expect(algorithm.kind.case).toBe(choice.kind);
    }
  });

  it("say what is wrong with a field", () => {
    const rank = CHOICES.find((choice) => choice.kind === "pageRank");
    const damping = rank?.fields.find((field) => field.name === "damping");
    expect(damping && problemOf(damping, "1")).toBe("is above 0.999");
    expect(damping && problemOf(damping, "x")).toBe("is not a number");
    expect(damping && problemOf(damping, "")).toBeUndefined();
    const from = CHOICES.find((choice) => choice.kind === "breadthFirst")?.fields[0];
    expect(from && problemOf(from, " ")).toBe("is missing");
  });
});

describe("what is told of an analysis", () => {
  const told = (part: object) => create(AnalysisSchema, { name: "a", uid: "u", attemptCount: 1, ...part });

  it("only goes forward", () => {
    const half = told({ state: AnalysisState.RUNNING, progress: 0.5 });
    const less = told({ state: AnalysisState.RUNNING, progress: 0.2 });
    const done = told({ state: AnalysisState.SUCCEEDED, progress: 1 });
    expect(newer(half, less)).toBe(half);
    expect(newer(less, half)).toBe(half);
    expect(newer(done, half)).toBe(done);
    const again = told({ state: AnalysisState.RUNNING, progress: 0, attemptCount: 2 });
    expect(newer(half, again)).toBe(again);
  });

  it("is in words", () => {
    const computing = told({ phase: AnalysisPhase.COMPUTING, progress: 0.25 });
    expect(progressOf(computing)).toEqual({ words: "Computing", share: 0.25 });
    expect(progressOf(told({})).share).toBeUndefined();
    expect([1234, 0.000012, 0.71709, 1e9].map(short)).toEqual([
      "1,234",
      "1.20e-5",
      "0.7171",
      "1,000,000,000",
    ]);
  });
});
