// The few WebGL2 chores that every pass needs.

export class GlError extends Error {}

export function program(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const linked = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(type);
    if (!shader) throw new GlError("the graphics context was lost");
    gl.shaderSource(shader, `#version 300 es\nprecision highp float;\nprecision highp int;\n${source}`);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new GlError(gl.getShaderInfoLog(shader) ?? "shader does not compile");
    }
    gl.attachShader(linked, shader);
  }
  gl.linkProgram(linked);
  if (!gl.getProgramParameter(linked, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new GlError(gl.getProgramInfoLog(linked) ?? "program does not link");
  }
  return linked;
}

export type Uniforms = (name: string) => WebGLUniformLocation | null;

/** Uniform locations by name, looked up once. */
export function uniforms(gl: WebGL2RenderingContext, of: WebGLProgram): Uniforms {
  const known = new Map<string, WebGLUniformLocation | null>();
  return (name) => {
    let location = known.get(name);
    if (location === undefined) {
      location = gl.getUniformLocation(of, name);
      known.set(name, location);
    }
    return location;
  };
}

/** Width of every data texture: a power of two, so that shaders shift and mask. */
export const TEXTURE_SHIFT = 11;
const TEXTURE_WIDTH = 1 << TEXTURE_SHIFT;

export interface TexelFormat {
  internal: number;
  format: number;
  type: number;
  channels: number;
}

/** An array on the GPU that shaders index by node; rows of a wide texture. */
export class DataTexture {
  private readonly texture: WebGLTexture;
  private rows = 0;
  private format: TexelFormat | null = null;

  constructor(private readonly gl: WebGL2RenderingContext) {
    this.texture = gl.createTexture();
  }

  bind(unit: number): void {
    this.gl.activeTexture(this.gl.TEXTURE0 + unit);
    this.gl.bindTexture(this.gl.TEXTURE_2D, this.texture);
  }

  /** Uploads `count` texels: the whole rows in one call, the rest in another. */
  upload(data: Float32Array | Uint8Array, count: number, format: TexelFormat): void {
    const { gl } = this;
    this.bind(0);
    const needed = Math.max(1, (count + TEXTURE_WIDTH - 1) >> TEXTURE_SHIFT);
    if (needed > this.rows || this.format !== format) {
      this.rows = Math.ceil(needed * 1.25);
      this.format = format;
      gl.texImage2D(
        gl.TEXTURE_2D,
        0,
        format.internal,
        TEXTURE_WIDTH,
        this.rows,
        0,
        format.format,
        format.type,
        null,
      );
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
      gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    }
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const whole = count >> TEXTURE_SHIFT;
    const rest = count - whole * TEXTURE_WIDTH;
    if (whole > 0) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, TEXTURE_WIDTH, whole, format.format, format.type, data, 0);
    }
    if (rest > 0) {
      const start = whole * TEXTURE_WIDTH * format.channels;
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, whole, rest, 1, format.format, format.type, data, start);
    }
  }

  delete(): void {
    this.gl.deleteTexture(this.texture);
  }
}

export function formats(gl: WebGL2RenderingContext) {
  return {
    float2: { internal: gl.RG32F, format: gl.RG, type: gl.FLOAT, channels: 2 },
    float4: { internal: gl.RGBA32F, format: gl.RGBA, type: gl.FLOAT, channels: 4 },
    bytes4: { internal: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE, channels: 4 },
    bytes1: { internal: gl.R8, format: gl.RED, type: gl.UNSIGNED_BYTE, channels: 1 },
  } satisfies Record<string, TexelFormat>;
}

/** A vertex buffer that grows and keeps what it can. */
export class VertexBuffer {
  readonly buffer: WebGLBuffer;
  private bytes = 0;

  constructor(
    private readonly gl: WebGL2RenderingContext,
    private readonly target: number = gl.ARRAY_BUFFER,
  ) {
    this.buffer = gl.createBuffer();
  }

  upload(data: Uint32Array | Float32Array, length: number): void {
    const { gl, target } = this;
    gl.bindBuffer(target, this.buffer);
    const needed = length * 4;
    if (needed > this.bytes) {
      this.bytes = Math.max(1024, Math.ceil((needed * 1.2) / 4) * 4);
      gl.bufferData(target, this.bytes, gl.DYNAMIC_DRAW);
    }
    if (length > 0) gl.bufferSubData(target, 0, data, 0, length);
  }

  delete(): void {
    this.gl.deleteBuffer(this.buffer);
  }
}
