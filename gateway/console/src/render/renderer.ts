// Draws a graph with WebGL2. It knows positions, looks and edges as arrays; it
// knows nothing of the mesh or of React.
import { Camera } from "./camera";
import { DataTexture, formats, program, type Uniforms, uniforms, VertexBuffer } from "./gl";
import { LOOKS, type Look, unit } from "./look";
import type { Positions } from "./positions";
import {
  ARROW_FRAGMENT,
  ARROW_VERTEX,
  EDGE_FRAGMENT,
  EDGE_VERTEX,
  NODE_FRAGMENT,
  NODE_VERTEX,
} from "./shaders";

/** Room around the canvas, in CSS pixels, for discs whose centre is outside. */
const MARGIN = 64;

/** Pixels of a picture for one of CSS, at most. */
export const MOST_RATIO = 8;

/** What is drawn on: the canvas, or something aside for a picture. */
interface Surface {
  width: number;
  height: number;
  /** Pixels for one of CSS. */
  ratio: number;
  transparent: boolean;
}

interface Pass {
  program: WebGLProgram;
  at: Uniforms;
}

interface Gpu {
  nodes: Pass;
  edges: Pass;
  arrows: Pass;
  from: DataTexture;
  to: DataTexture;
  looks: DataTexture;
  sizes: DataTexture;
  order: VertexBuffer;
  ends: VertexBuffer;
  litEnds: VertexBuffer;
  nodeArray: WebGLVertexArrayObject;
  edgeArray: WebGLVertexArrayObject;
  litArray: WebGLVertexArrayObject;
  formats: ReturnType<typeof formats>;
}

export class Renderer {
  readonly camera = new Camera();
  look: Look = LOOKS.dark;
  ratio = 1;
  /** How far everything outside the focus is dimmed, 0 to 1. */
  focus = 0;
  /** Edges drawn at most; set by the frame budget. */
  edgeBudget = Number.POSITIVE_INFINITY;
  edgesVisible = true;
  sizeFactor = 1;
  lost = false;

  /** How long the GPU took for the last frame, as far as it can be seen from here. */
  gpuMs = 0;

  private fence: WebGLSync | null = null;
  private fencedAt = 0;
  private gpu: Gpu | null = null;
  private surface: Surface = { width: 1, height: 1, ratio: 1, transparent: false };
  /** Which content of the positions is on the GPU. */
  private sent = { from: -1, to: -1 };
  private nodeCount = 0;
  private edgeCount = 0;
  private litCount = 0;
  /** Called when the context came back: everything must be uploaded again. */
  onRestored: () => void = () => {};

  private constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
    private readonly positions: Positions,
  ) {
    canvas.addEventListener("webglcontextlost", this.onLost);
    canvas.addEventListener("webglcontextrestored", this.onBack);
    this.gpu = this.build();
  }

  /** Null where the browser has no WebGL2. */
  static create(canvas: HTMLCanvasElement, positions: Positions): Renderer | null {
    const gl = canvas.getContext("webgl2", {
      alpha: false,
      antialias: false,
      depth: false,
      stencil: false,
      powerPreference: "high-performance",
    });
    return gl ? new Renderer(canvas, gl, positions) : null;
  }

  private readonly onLost = (event: Event) => {
    event.preventDefault();
    this.lost = true;
    this.gpu = null;
  };

  private readonly onBack = () => {
    this.lost = false;
    this.sent = { from: -1, to: -1 };
    this.gpu = this.build();
    this.onRestored();
  };

  private build(): Gpu {
    const { gl } = this;
    const pass = (vertex: string, fragment: string): Pass => {
      const linked = program(gl, vertex, fragment);
      return { program: linked, at: uniforms(gl, linked) };
    };
    const ends = new VertexBuffer(gl);
    const litEnds = new VertexBuffer(gl);
    const order = new VertexBuffer(gl, gl.ELEMENT_ARRAY_BUFFER);
    const nodeArray = gl.createVertexArray();
    gl.bindVertexArray(nodeArray);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, order.buffer);
    const edgeArray = (buffer: WebGLBuffer) => {
      const array = gl.createVertexArray();
      gl.bindVertexArray(array);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(0);
      gl.vertexAttribIPointer(0, 2, gl.UNSIGNED_INT, 8, 0);
      gl.vertexAttribDivisor(0, 1);
      gl.bindVertexArray(null);
      return array;
    };
    return {
      nodes: pass(NODE_VERTEX, NODE_FRAGMENT),
      edges: pass(EDGE_VERTEX, EDGE_FRAGMENT),
      arrows: pass(ARROW_VERTEX, ARROW_FRAGMENT),
      from: new DataTexture(gl),
      to: new DataTexture(gl),
      looks: new DataTexture(gl),
      sizes: new DataTexture(gl),
      order,
      ends,
      litEnds,
      nodeArray,
      edgeArray: edgeArray(ends.buffer),
      litArray: edgeArray(litEnds.buffer),
      formats: formats(gl),
    };
  }

  // --- what is drawn ---

  /** Colour (three bytes) and state (one) of each node. */
  setLooks(bytes: Uint8Array, count: number): void {
    this.gpu?.looks.upload(bytes, count, this.gpu.formats.bytes4);
  }

  /** Quarter pixels of radius, a byte a node; and the nodes from back to front. */
  setSizes(sizes: Uint8Array, order: Uint32Array, count: number): void {
    if (!this.gpu) return;
    this.gpu.sizes.upload(sizes, count, this.gpu.formats.bytes1);
    this.gl.bindVertexArray(this.gpu.nodeArray);
    this.gpu.order.upload(order, order.length);
    this.gl.bindVertexArray(null);
    this.nodeCount = order.length;
  }

  /** All edges, in an order of which every beginning is a fair sample. */
  setEdges(ends: Uint32Array, count: number): void {
    this.gpu?.ends.upload(ends, count * 2);
    this.edgeCount = count;
  }

  /** The edges that stand out: those of the node in focus, or of a path. */
  setLitEdges(ends: Uint32Array, count: number): void {
    this.gpu?.litEnds.upload(ends, count * 2);
    this.litCount = count;
  }

  resize(width: number, height: number, ratio: number): void {
    this.ratio = ratio;
    const w = Math.max(1, Math.round(width * ratio));
    const h = Math.max(1, Math.round(height * ratio));
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
    }
    this.camera.resize(width, height);
  }

  /** How much larger than at the overview nodes are now. */
  get zoomGrowth(): number {
    return Math.sqrt(Math.max(this.camera.scale / this.camera.fitScale, 0.02));
  }

  /** Pixels per unit of a node's size byte over 4. */
  get sizeScale(): number {
    return this.sizeFactor * Math.min(this.zoomGrowth, 14);
  }

  /** Radius of a node in CSS pixels, as the shaders have it. */
  radius(size: number, depthScale: number): number {
    return Math.max(size * 0.25 * this.sizeScale * depthScale, 0.55);
  }

  /**
   * Whether the GPU still works on the last frame. Sending it more would only
   * make a queue, and the picture late.
   */
  busy(now: number): boolean {
    if (!this.fence) return false;
    if (
      this.gl.getSyncParameter(this.fence, this.gl.SYNC_STATUS) !== this.gl.SIGNALED &&
      !this.gl.isContextLost()
    ) {
      return true;
    }
    this.gl.deleteSync(this.fence);
    this.fence = null;
    this.gpuMs = now - this.fencedAt;
    return false;
  }

  draw(now: number): void {
    const { gl, gpu } = this;
    if (!gpu || this.lost) return;
    const { width, height } = this.canvas;
    this.paint(gpu, now, { width, height, ratio: this.ratio, transparent: false });
    if (this.fence) gl.deleteSync(this.fence);
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    this.fencedAt = performance.now();
    gl.flush();
  }

  private paint(gpu: Gpu, now: number, surface: Surface): void {
    const { gl, positions, look } = this;
    this.surface = surface;
    this.sendPositions(gpu);
    gl.viewport(0, 0, surface.width, surface.height);
    if (surface.transparent) gl.clearColor(0, 0, 0, 0);
    else gl.clearColor(...unit(look.background), 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (!positions.placed || this.nodeCount === 0) return;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gpu.from.bind(0);
    gpu.to.bind(1);
    gpu.looks.bind(2);
    gpu.sizes.bind(3);
    const t = positions.progress(now);
    if (this.edgesVisible) this.drawEdges(gpu, t, false);
    if (this.litCount > 0) {
      this.drawEdges(gpu, t, true);
      this.drawArrows(gpu, t);
    }
    this.drawNodes(gpu, t);
    gl.bindVertexArray(null);
  }

  private sendPositions(gpu: Gpu): void {
    const { positions, sent } = this;
    const format = positions.stride === 2 ? gpu.formats.float2 : gpu.formats.float4;
    // Where the mix had come to its end, its end is the new beginning: nothing to send.
    if (sent.from !== positions.fromVersion && sent.to === positions.fromVersion) {
      [gpu.from, gpu.to] = [gpu.to, gpu.from];
      [sent.from, sent.to] = [sent.to, sent.from];
    }
    if (sent.from !== positions.fromVersion) gpu.from.upload(positions.from, positions.count, format);
    if (sent.to !== positions.toVersion) gpu.to.upload(positions.to, positions.count, format);
    sent.from = positions.fromVersion;
    sent.to = positions.toVersion;
  }

  private begin(pass: Pass, t: number): Uniforms {
    const { gl, camera, surface } = this;
    gl.useProgram(pass.program);
    const { at } = pass;
    gl.uniform1i(at("u_from"), 0);
    gl.uniform1i(at("u_to"), 1);
    gl.uniform1i(at("u_look"), 2);
    gl.uniform1i(at("u_size"), 3);
    gl.uniform1f(at("u_t"), t);
    gl.uniformMatrix4fv(at("u_matrix"), false, camera.matrix);
    gl.uniform2f(at("u_viewport"), surface.width, surface.height);
    gl.uniform1f(at("u_ratio"), surface.ratio);
    gl.uniform1f(at("u_sizeScale"), this.sizeScale);
    gl.uniform1f(at("u_perspective"), camera.dimensions === 3 ? camera.distance : 0);
    gl.uniform1f(at("u_focus"), this.focus);
    gl.uniform3f(at("u_background"), ...unit(this.look.background));
    return at;
  }

  private drawEdges(gpu: Gpu, t: number, lit: boolean): void {
    const { gl, look, surface } = this;
    const drawn = lit ? this.litCount : Math.min(this.edgeCount, Math.floor(this.edgeBudget));
    if (drawn === 0) return;
    const at = this.begin(gpu.edges, t);
    const { width, opacity, fadeLength } = this.edgeLook(drawn, lit);
    gl.uniform1f(at("u_width"), width * surface.ratio);
    gl.uniform1f(at("u_opacity"), opacity);
    gl.uniform1f(at("u_fadeLength"), fadeLength * surface.ratio);
    gl.uniform1f(at("u_lit"), lit ? 1 : 0);
    // Light that is added needs something to be added to.
    gl.uniform1f(at("u_glow"), lit || surface.transparent ? 0 : look.edgeGlow);
    gl.uniform1f(at("u_shade"), lit ? 1 : look.edgeShade);
    gl.bindVertexArray(lit ? gpu.litArray : gpu.edgeArray);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, drawn);
  }

  /** How `drawn` edges look; widths and lengths in CSS pixels. */
  edgeLook(drawn: number, lit: boolean): { width: number; opacity: number; fadeLength: number } {
    const growth = this.zoomGrowth;
    const { camera } = this;
    return {
      width: lit ? 1.4 : Math.min(1.6, 0.8 + growth * 0.12),
      opacity: lit ? 0.9 : this.edgeOpacity(drawn) * this.look.edgeStrength,
      fadeLength: Math.max(camera.width, camera.height) * 0.09 * Math.max(1, growth),
    };
  }

  /** The more lines on the screen, the paler each; zooming in brings them back. */
  private edgeOpacity(drawn: number): number {
    const area = this.camera.width * this.camera.height;
    const inView = drawn / Math.max(1, this.zoomGrowth ** 2.6);
    return Math.min(0.6, Math.max(0.075, Math.sqrt(area / Math.max(inView, 1)) * 0.03));
  }

  private drawArrows(gpu: Gpu, t: number): void {
    const { gl } = this;
    const at = this.begin(gpu.arrows, t);
    gl.uniform1f(at("u_opacity"), 0.95);
    gl.bindVertexArray(gpu.litArray);
    gl.drawArraysInstanced(gl.TRIANGLES, 0, 3, this.litCount);
  }

  private drawNodes(gpu: Gpu, t: number): void {
    const { gl, look, surface } = this;
    const margin = Math.round(MARGIN * surface.ratio);
    const at = this.begin(gpu.nodes, t);
    gl.uniform1f(at("u_margin"), margin);
    gl.uniform3f(at("u_ring"), ...unit(look.ring));
    gl.viewport(-margin, -margin, surface.width + 2 * margin, surface.height + 2 * margin);
    gl.bindVertexArray(gpu.nodeArray);
    gl.drawElements(gl.POINTS, this.nodeCount, gl.UNSIGNED_INT, 0);
    gl.viewport(0, 0, surface.width, surface.height);
  }

  /** Pixels that a side of a picture may have at most. */
  get largestSide(): number {
    const { gl } = this;
    const [wide, high] = gl.getParameter(gl.MAX_VIEWPORT_DIMS) as Int32Array;
    const most = Math.min(wide, high, gl.getParameter(gl.MAX_RENDERBUFFER_SIZE) as number);
    return most - 2 * Math.ceil(MARGIN * MOST_RATIO);
  }

  /**
   * The view in any number of pixels, with every edge; null where there is nothing
   * to draw with, or no memory for it. It is drawn aside: the canvas stays as it is.
   */
  picture(ratio: number, transparent: boolean, now: number): ImageData | null {
    const { gl, gpu, camera } = this;
    if (!gpu || this.lost) return null;
    const width = Math.max(1, Math.round(camera.width * ratio));
    const height = Math.max(1, Math.round(camera.height * ratio));
    const image = blank(width, height);
    if (!image) return null;
    const { edgeBudget, surface } = this;
    const frame = gl.createFramebuffer();
    const colour = gl.createRenderbuffer();
    // Whatever fails on the way: the next frame is the canvas's again.
    try {
      gl.bindRenderbuffer(gl.RENDERBUFFER, colour);
      gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, width, height);
      gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
      gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, colour);
      if (gl.checkFramebufferStatus(gl.FRAMEBUFFER) !== gl.FRAMEBUFFER_COMPLETE) return null;
      this.edgeBudget = Number.POSITIVE_INFINITY;
      this.paint(gpu, now, { width, height, ratio, transparent });
      const bytes = new Uint8Array(image.data.buffer);
      gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
      upright(bytes, width, height);
      if (transparent) straight(bytes);
      return image;
    } finally {
      this.edgeBudget = edgeBudget;
      this.surface = surface;
      gl.bindVertexArray(null);
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      gl.bindRenderbuffer(gl.RENDERBUFFER, null);
      gl.viewport(0, 0, this.canvas.width, this.canvas.height);
      gl.deleteFramebuffer(frame);
      gl.deleteRenderbuffer(colour);
    }
  }

  dispose(): void {
    this.canvas.removeEventListener("webglcontextlost", this.onLost);
    this.canvas.removeEventListener("webglcontextrestored", this.onBack);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.gpu = null;
  }
}

/** Null where there is no memory for it. */
function blank(width: number, height: number): ImageData | null {
  try {
    return new ImageData(width, height);
  } catch {
    return null;
  }
}

/** The GPU counts rows from below, pictures from above. */
function upright(bytes: Uint8Array, width: number, height: number): void {
  const stride = width * 4;
  const row = new Uint8Array(stride);
  for (let top = 0, bottom = height - 1; top < bottom; top++, bottom--) {
    row.set(bytes.subarray(top * stride, (top + 1) * stride));
    bytes.copyWithin(top * stride, bottom * stride, (bottom + 1) * stride);
    bytes.set(row, bottom * stride);
  }
}

/** The GPU multiplies colours with their opacity, pictures keep them apart. */
function straight(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 4) {
    const alpha = bytes[at + 3];
    if (alpha === 0 || alpha === 255) continue;
    for (let part = at; part < at + 3; part++) bytes[part] = Math.min(255, (bytes[part] * 255) / alpha);
  }
}
