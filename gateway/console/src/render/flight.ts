// A camera move that feels like one: out, over, in. The path is the one of
// J. J. van Wijk and W. A. A. Nuij, "Smooth and efficient zooming and panning"
// (2003), which moves the picture at an even perceived speed.
import type { Camera } from "./camera";

const RHO = 1.3;

export interface Goal {
  x: number;
  y: number;
  z: number;
  scale: number;
}

export class Flight {
  private readonly from: Goal;
  private readonly length: number;
  private readonly distance: number;
  private readonly r0: number;
  readonly durationMs: number;

  constructor(
    private readonly camera: Camera,
    private readonly goal: Goal,
    private readonly startedAt: number,
    calm: boolean,
  ) {
    this.from = { x: camera.x, y: camera.y, z: camera.z, scale: camera.scale };
    const w0 = camera.width / this.from.scale;
    const w1 = camera.width / goal.scale;
    this.distance = Math.hypot(goal.x - this.from.x, goal.y - this.from.y, goal.z - this.from.z);
    const d2 = this.distance ** 2;
    if (this.distance < w0 * 1e-3) {
      this.r0 = 0;
      this.length = Math.abs(Math.log(w1 / w0)) / RHO;
    } else {
      const b0 = (w1 * w1 - w0 * w0 + RHO ** 4 * d2) / (2 * w0 * RHO ** 2 * this.distance);
      const b1 = (w1 * w1 - w0 * w0 - RHO ** 4 * d2) / (2 * w1 * RHO ** 2 * this.distance);
      this.r0 = Math.log(Math.sqrt(b0 * b0 + 1) - b0);
      const r1 = Math.log(Math.sqrt(b1 * b1 + 1) - b1);
      this.length = (r1 - this.r0) / RHO;
    }
    this.durationMs = calm ? 0 : Math.min(1600, Math.max(260, this.length * 420));
  }

  /** Moves the camera to where it is at this time; true when it has arrived. */
  step(now: number): boolean {
    const linear = this.durationMs === 0 ? 1 : Math.min(1, (now - this.startedAt) / this.durationMs);
    const t = linear < 0.5 ? 2 * linear * linear : 1 - 2 * (1 - linear) ** 2;
    const { camera, from, goal } = this;
    if (linear >= 1) {
      Object.assign(camera, goal);
    } else {
      const w0 = camera.width / from.scale;
      const s = t * this.length;
      let along = t;
      let width: number;
      if (this.distance < w0 * 1e-3) {
        width = w0 * Math.exp((goal.scale < from.scale ? 1 : -1) * RHO * s);
      } else {
        const cosh0 = Math.cosh(this.r0);
        along =
          ((w0 / (RHO * RHO)) * (cosh0 * Math.tanh(RHO * s + this.r0) - Math.sinh(this.r0))) / this.distance;
        width = (w0 * cosh0) / Math.cosh(RHO * s + this.r0);
      }
      camera.x = from.x + (goal.x - from.x) * along;
      camera.y = from.y + (goal.y - from.y) * along;
      camera.z = from.z + (goal.z - from.z) * along;
      camera.scale = camera.width / width;
    }
    camera.update();
    return linear >= 1;
  }
}
