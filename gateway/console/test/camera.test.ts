import { describe, expect, it } from "vitest";
import { Camera } from "../src/render/camera";
import { Flight } from "../src/render/flight";

function camera(dimensions: 2 | 3): Camera {
  const made = new Camera();
  Object.assign(made, { dimensions, x: 3, y: -2, z: dimensions === 3 ? 1 : 0, scale: 40, fitScale: 40 });
  made.resize(800, 600);
  return made;
}

describe("the camera", () => {
  for (const dimensions of [2, 3] as const) {
    it(`puts its target in the middle, and comes back from there (${dimensions}D)`, () => {
      const made = camera(dimensions);
      const out = new Float32Array(3);
      made.project([made.x, made.y, made.z], out);
      expect(out[0]).toBeCloseTo(400, 2);
      expect(out[1]).toBeCloseTo(300, 2);
      expect(out[2]).toBeCloseTo(1, 3);
      const place: [number, number, number] = [made.x, made.y, made.z];
      const back: [number, number, number] = [0, 0, 0];
      made.unproject(530, 210, place, back);
      made.project(back, out);
      expect(out[0]).toBeCloseTo(530, 1);
      expect(out[1]).toBeCloseTo(210, 1);
    });

    it(`moves what is seen by as many pixels as the hand (${dimensions}D)`, () => {
      const made = camera(dimensions);
      const target = [made.x, made.y, made.z];
      const out = new Float32Array(3);
      made.panBy(25, -40);
      made.project(target, out);
      expect(out[0]).toBeCloseTo(425, 1);
      expect(out[1]).toBeCloseTo(260, 1);
    });
  }

  it("zooms around the pointer", () => {
    const made = camera(2);
    const before: [number, number, number] = [0, 0, 0];
    made.unproject(120, 480, [0, 0, 0], before);
    made.zoomAt(120, 480, 3.7);
    const after: [number, number, number] = [0, 0, 0];
    made.unproject(120, 480, [0, 0, 0], after);
    expect(after[0]).toBeCloseTo(before[0], 6);
    expect(after[1]).toBeCloseTo(before[1], 6);
    expect(made.scale).toBeCloseTo(148, 6);
  });

  it("fits a box with room around it", () => {
    const made = camera(2);
    Object.assign(made, made.fitting([-10, -5, 0], [30, 5, 0]));
    made.update();
    const out = new Float32Array(3);
    made.project([-10, 0, 0], out);
    expect(out[0]).toBeGreaterThan(20);
    expect(out[0]).toBeLessThan(80);
    made.project([10, 0, 0], out);
    expect(out[0]).toBeCloseTo(400, 3);
  });
});

describe("a flight", () => {
  it("goes out and in again, and ends exactly where it was sent", () => {
    const made = camera(2);
    const flight = new Flight(made, { x: 500, y: 200, z: 0, scale: 90 }, 0, false);
    let lowest = made.scale;
    let done = false;
    for (let now = 0; !done && now < 5_000; now += 16) {
      done = flight.step(now);
      lowest = Math.min(lowest, made.scale);
      expect(Number.isFinite(made.x + made.y + made.scale)).toBe(true);
    }
    expect(done).toBe(true);
    expect([made.x, made.y, made.scale]).toEqual([500, 200, 90]);
    expect(lowest).toBeLessThan(20);
  });

  it("is over at once for those who want no motion", () => {
    const made = camera(2);
    expect(new Flight(made, { x: 5, y: 5, z: 0, scale: 9 }, 0, true).step(0)).toBe(true);
    expect(made.x).toBe(5);
  });
});
