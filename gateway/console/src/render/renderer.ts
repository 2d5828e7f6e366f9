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
    this.paint(gpu, now);
    if (this.fence) gl.deleteSync(this.fence);
    this.fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    this.fencedAt = performance.now();
    gl.flush();
  }

  private paint(gpu: Gpu, now: number): void {
    const { gl, positions, look } = this;
    this.sendPositions(gpu);
    const { width, height } = this.canvas;
    gl.viewport(0, 0, width, height);
    gl.clearColor(...unit(look.background), 1);
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
    const { gl, camera, ratio } = this;
    gl.useProgram(pass.program);
    const { at } = pass;
    gl.uniform1i(at("u_from"), 0);
    gl.uniform1i(at("u_to"), 1);
    gl.uniform1i(at("u_look"), 2);
    gl.uniform1i(at("u_size"), 3);
    gl.uniform1f(at("u_t"), t);
    gl.uniformMatrix4fv(at("u_matrix"), false, camera.matrix);
    gl.uniform2f(at("u_viewport"), this.canvas.width, this.canvas.height);
    gl.uniform1f(at("u_ratio"), ratio);
    gl.uniform1f(at("u_sizeScale"), this.sizeScale);
    gl.uniform1f(at("u_perspective"), camera.dimensions === 3 ? camera.distance : 0);
    gl.uniform1f(at("u_focus"), this.focus);
    gl.uniform3f(at("u_background"), ...unit(this.look.background));
    return at;
  }

  private drawEdges(gpu: Gpu, t: number, lit: boolean): void {
    const { gl, look } = this;
    const drawn = lit ? this.litCount : Math.min(this.edgeCount, Math.floor(this.edgeBudget));
    if (drawn === 0) return;
    const at = this.begin(gpu.edges, t);
    const growth = this.zoomGrowth;
    const { opacity, width } = lit
      ? { opacity: 0.9, width: 1.4 }
      : { opacity: this.edgeOpacity(drawn), width: Math.min(1.6, 0.8 + growth * 0.12) };
    gl.uniform1f(at("u_width"), width * this.ratio);
    gl.uniform1f(at("u_opacity"), opacity * (lit ? 1 : look.edgeStrength));
    gl.uniform1f(
      at("u_fadeLength"),
      Math.max(this.canvas.width, this.canvas.height) * 0.09 * Math.max(1, growth),
    );
    gl.uniform1f(at("u_lit"), lit ? 1 : 0);
    gl.uniform1f(at("u_glow"), lit ? 0 : look.edgeGlow);
    gl.uniform1f(at("u_shade"), lit ? 1 : look.edgeShade);
    gl.bindVertexArray(lit ? gpu.litArray : gpu.edgeArray);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, drawn);
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
    const { gl, look, ratio } = this;
    const margin = Math.round(MARGIN * ratio);
    const at = this.begin(gpu.nodes, t);
    gl.uniform1f(at("u_margin"), margin);
    gl.uniform3f(at("u_ring"), ...unit(look.ring));
    gl.viewport(-margin, -margin, this.canvas.width + 2 * margin, this.canvas.height + 2 * margin);
    gl.bindVertexArray(gpu.nodeArray);
    gl.drawElements(gl.POINTS, this.nodeCount, gl.UNSIGNED_INT, 0);
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
  }

  /** The pixels as a picture, drawn now so that the buffer holds them. */
  capture(now: number): Promise<Blob | null> {
    this.draw(now);
    return new Promise((resolve) => this.canvas.toBlob(resolve));
  }

  dispose(): void {
    this.canvas.removeEventListener("webglcontextlost", this.onLost);
    this.canvas.removeEventListener("webglcontextrestored", this.onBack);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
    this.gpu = null;
  }
}
