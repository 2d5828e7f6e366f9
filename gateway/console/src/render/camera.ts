// From layout units to pixels and back. In the plane: a centre and a scale. In
// space: an orbit around a target. Both give one matrix, so that the shaders do
// not know which it is.

const FOV = 0.9;

export interface View2 {
  x: number;
  y: number;
  /** Pixels per layout unit. */
  scale: number;
}

export class Camera {
  dimensions: 2 | 3 = 2;
  width = 1;
  height = 1;
  x = 0;
  y = 0;
  z = 0;
  scale = 1;
  /** Scale at which the whole graph fits; sizes on screen relate to it. */
  fitScale = 1;
  yaw = 0.6;
  pitch = 0.35;
  readonly matrix = new Float32Array(16);

  resize(width: number, height: number): void {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    this.update();
  }

  /** Distance of the eye at which a unit at the target is `scale` pixels. */
  get distance(): number {
    return this.height / (2 * Math.tan(FOV / 2) * this.scale);
  }

  update(): void {
    const m = this.matrix.fill(0);
    if (this.dimensions === 2) {
      m[0] = (2 * this.scale) / this.width;
      m[5] = (2 * this.scale) / this.height;
      m[12] = -this.x * m[0];
      m[13] = -this.y * m[5];
      m[15] = 1;
      return;
    }
    const [sy, cy, sp, cp] = [
      Math.sin(this.yaw),
      Math.cos(this.yaw),
      Math.sin(this.pitch),
      Math.cos(this.pitch),
    ];
    const right = [cy, 0, -sy];
    const up = [sy * sp, cp, cy * sp];
    const back = [sy * cp, -sp, cy * cp];
    const d = this.distance;
    const f = 1 / Math.tan(FOV / 2);
    const target = [this.x, this.y, this.z];
    const dot = (axis: number[]) => axis[0] * target[0] + axis[1] * target[1] + axis[2] * target[2];
    const near = d * 0.01;
    const far = d * 100;
    const a = (near + far) / (near - far);
    const b = (2 * near * far) / (near - far);
    const sx = (f * this.height) / this.width;
    for (let i = 0; i < 3; i++) {
      m[i * 4] = right[i] * sx;
      m[i * 4 + 1] = up[i] * f;
      m[i * 4 + 2] = back[i] * a;
      m[i * 4 + 3] = -back[i];
    }
    const depth = -dot(back) - d;
    m[12] = -dot(right) * sx;
    m[13] = -dot(up) * f;
    m[14] = depth * a + b;
    m[15] = -depth;
  }

  /** Layout position to pixels from the top left; [2] is depth scale, ≤ 0 behind the eye. */
  project(p: ArrayLike<number>, out: Float32Array): void {
    const m = this.matrix;
    const w = m[3] * p[0] + m[7] * p[1] + m[11] * p[2] + m[15];
    out[0] = ((m[0] * p[0] + m[4] * p[1] + m[8] * p[2] + m[12]) / w) * 0.5 * this.width + this.width / 2;
    out[1] = this.height / 2 - ((m[1] * p[0] + m[5] * p[1] + m[9] * p[2] + m[13]) / w) * 0.5 * this.height;
    out[2] = this.dimensions === 2 ? 1 : w > 0 ? this.distance / w : -1;
  }

  /** Pixels to layout units, on the plane through `depthOf` that faces the eye. */
  unproject(
    px: number,
    py: number,
    depthOf: readonly [number, number, number],
    out: [number, number, number],
  ): void {
    const dx = px - this.width / 2;
    const dy = this.height / 2 - py;
    if (this.dimensions === 2) {
      out[0] = this.x + dx / this.scale;
      out[1] = this.y + dy / this.scale;
      out[2] = 0;
      return;
    }
    const at = new Float32Array(3);
    this.project(depthOf, at);
    const unit = 1 / (this.scale * Math.max(at[2], 1e-6));
    this.offset((px - at[0]) * unit, (at[1] - py) * unit, depthOf, out);
  }

  private offset(
    right: number,
    up: number,
    from: readonly [number, number, number],
    out: [number, number, number],
  ) {
    const [sy, cy, sp, cp] = [
      Math.sin(this.yaw),
      Math.cos(this.yaw),
      Math.sin(this.pitch),
      Math.cos(this.pitch),
    ];
    out[0] = from[0] + right * cy + up * sy * sp;
    out[1] = from[1] + up * cp;
    out[2] = from[2] - right * sy + up * cy * sp;
  }

  panBy(dx: number, dy: number): void {
    if (this.dimensions === 2) {
      this.x -= dx / this.scale;
      this.y += dy / this.scale;
    } else {
      const out: [number, number, number] = [0, 0, 0];
      this.offset(-dx / this.scale, dy / this.scale, [this.x, this.y, this.z], out);
      [this.x, this.y, this.z] = out;
    }
    this.update();
  }

  orbitBy(dx: number, dy: number): void {
    this.yaw -= dx * 0.006;
    this.pitch = Math.min(1.5, Math.max(-1.5, this.pitch + dy * 0.006));
    this.update();
  }

  /** Zooms so that what is under the pixel stays there. */
  zoomAt(px: number, py: number, factor: number): void {
    const limited = Math.min(this.fitScale * 2000, Math.max(this.fitScale * 0.05, this.scale * factor));
    if (this.dimensions === 2) {
      const before: [number, number, number] = [0, 0, 0];
      this.unproject(px, py, [0, 0, 0], before);
      this.scale = limited;
      this.x = before[0] - (px - this.width / 2) / limited;
      this.y = before[1] - (this.height / 2 - py) / limited;
    } else {
      this.scale = limited;
    }
    this.update();
  }

  /** The view that shows a box with a margin. */
  fitting(min: ArrayLike<number>, max: ArrayLike<number>, padding = 0.88): View2 & { z: number } {
    const w = Math.max(max[0] - min[0], 1e-3);
    const h = Math.max(max[1] - min[1], 1e-3);
    const depth = this.dimensions === 3 ? Math.max(max[2] - min[2], 1e-3) : 0;
    const across = Math.max(w, depth);
    return {
      x: (min[0] + max[0]) / 2,
      y: (min[1] + max[1]) / 2,
      z: this.dimensions === 3 ? (min[2] + max[2]) / 2 : 0,
      scale: Math.min(this.width / across, this.height / h) * padding * (this.dimensions === 3 ? 0.8 : 1),
    };
  }
}
