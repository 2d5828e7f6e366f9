import { describe, expect, it } from "vitest";
import { FrameStats } from "../src/graph/stats";
import { KEPT, pathOf, Samples } from "../src/meters/samples";
import type { FrameHeader } from "../src/render/frames";

const counters = (drawn: number, busyMs: number, bytes: number, steps: number, stepsMs: number) => ({
  drawn,
  busyMs,
  bytes,
  steps,
  stepsMs,
});

describe("the meters", () => {
  it("say what happened in a second, from what was counted", () => {
    const samples = new Samples();
    samples.take(counters(100, 300, 5_000, 40, 0), 1_000);
    expect(samples.list).toEqual([]);
    samples.take(counters(130, 390, 25_000, 100, 500), 1_500);
    expect(samples.list).toEqual([
      { framesPerSecond: 60, frameMs: 3, ticksPerSecond: 120, bytesPerSecond: 40_000 },
    ]);
  });

  it("know nothing of a frame where none was drawn", () => {
    const samples = new Samples();
    samples.take(counters(1, 1, 0, 900, 900), 0);
    samples.take(counters(1, 1, 0, 900, 900), 1_000);
    expect(samples.list[0]).toMatchObject({ framesPerSecond: 0, frameMs: null, ticksPerSecond: 0 });
  });

  it("show no steps that were made before, by another layout or in a stream that was missed", () => {
    const stats = new FrameStats();
    const frame = (tick: bigint, at: number) =>
      stats.received(1, 100, { sequence: tick, tick } as FrameHeader, at);
    frame(70_000n, 0);
    expect(stats.steps).toBe(0);
    frame(70_006n, 100);
    expect([stats.steps, stats.stepsMs]).toEqual([6, 100]);
    stats.opened();
    frame(900_000n, 200);
    frame(900_003n, 250);
    expect([stats.steps, stats.stepsMs]).toEqual([9, 150]);
    // From other places it counts from 0.
    frame(0n, 300);
    frame(2n, 350);
    expect([stats.steps, stats.stepsMs]).toEqual([11, 200]);
  });

  it("spread the steps of a pause over the pause", () => {
    const samples = new Samples();
    samples.take(counters(0, 0, 0, 100, 1_000), 60_000);
    // The first frame after a minute tells of all steps in it.
    samples.take(counters(2, 4, 0, 6_160, 62_000), 61_000);
    expect(samples.list[0].ticksPerSecond).toBeCloseTo(6_060 / 61);
  });

  it("begin anew after nobody has looked, and count what came meanwhile for nothing", () => {
    const stats = new FrameStats();
    const samples = new Samples();
    const take = (at: number) => samples.take({ ...stats }, at);
    take(0);
    stats.frame(3, 1);
    take(1_000);
    expect(samples.list).toHaveLength(1);
    samples.pause();
    expect(samples.list).toEqual([]);
    // Read, and not drawn: a page that nobody sees draws nothing.
    for (let at = 2_000; at < 60_000; at += 100)
      stats.received(2, 100, { sequence: 1n, tick: BigInt(at) } as FrameHeader, at);
    take(60_000);
    stats.frame(3, 1);
    take(61_000);
    expect(samples.list).toEqual([{ framesPerSecond: 1, frameMs: 4, ticksPerSecond: 0, bytesPerSecond: 0 }]);
  });

  it("keep a minute", () => {
    const samples = new Samples();
    for (let at = 0; at < KEPT * 3; at++) samples.take(counters(at, at, at, at, at), at * 1_000);
    expect(samples.list).toHaveLength(KEPT);
  });

  it("are drawn with the newest at the right and gaps where nothing is known", () => {
    expect(pathOf([0, 5, null, 10], 59, 20)).toBe("M56.0 20.0L57.0 10.0M59.0 0.0h0");
    expect(pathOf([0, 0], 59, 20)).toBe("M58.0 20.0L59.0 20.0");
  });
});
