// GLSL of the passes. All of them find a node's place, colour and state by its
// index in data textures, so that a frame of positions is one upload and
// nothing else, however many edges hang on the nodes.
import { TEXTURE_SHIFT } from "./gl";

/** Bits of a node's state byte, kept in the alpha of its colour. */
export const State = { Hidden: 1, Lit: 2, Focus: 4, Hover: 8 } as const;

const COMMON = `
uniform sampler2D u_from;
uniform sampler2D u_to;
uniform sampler2D u_look;
uniform sampler2D u_size;
uniform float u_t;
uniform mat4 u_matrix;
uniform vec2 u_viewport;
uniform float u_ratio;
uniform float u_sizeScale;
uniform float u_perspective;
uniform float u_focus;
uniform vec3 u_background;

ivec2 cell(int i) { return ivec2(i & ${(1 << TEXTURE_SHIFT) - 1}, i >> ${TEXTURE_SHIFT}); }

vec4 place(int i) {
  ivec2 c = cell(i);
  vec3 p = mix(texelFetch(u_from, c, 0).xyz, texelFetch(u_to, c, 0).xyz, u_t);
  return p.x > 1e29 ? vec4(4.0, 4.0, 4.0, 1.0) : u_matrix * vec4(p, 1.0);
}

// Behind the eye, or without a place.
bool lost(vec4 p) { return p.w < 1e-4 || p.z > p.w * 2.0; }

// In space, what is far away pales; in the plane nothing does.
float haze(float w) { return u_perspective > 0.0 ? clamp(0.2 + (w / u_perspective - 1.0) * 1.1, 0.0, 0.8) : 0.0; }

int stateOf(vec4 look) { return int(look.a * 255.0 + 0.5); }

// Radius in device pixels.
float radius(int i, float w) {
  float r = texelFetch(u_size, cell(i), 0).r * 255.0 * 0.25 * u_sizeScale;
  return max(r * (u_perspective > 0.0 ? u_perspective / w : 1.0), 0.55) * u_ratio;
}
`;

export const NODE_VERTEX = `${COMMON}
uniform float u_margin;
out vec3 v_color;
flat out float v_radius;
flat out float v_extent;
flat out float v_alpha;
flat out int v_state;

void main() {
  int i = gl_VertexID;
  vec4 look = texelFetch(u_look, cell(i), 0);
  int state = stateOf(look);
  vec4 p = place(i);
  // Drawn into a viewport that is larger than the canvas, so that a disc whose
  // centre has just left it is not cut off.
  p.xy *= u_viewport / (u_viewport + 2.0 * u_margin);
  float r = radius(i, p.w);
  bool raised = (state & ${State.Focus | State.Hover}) != 0;
  if (raised) r = max(r * 1.12, 4.0 * u_ratio);
  v_extent = r + (raised ? 6.0 : 1.5) * u_ratio;
  v_radius = r;
  v_color = mix(look.rgb, u_background, raised ? 0.0 : haze(p.w));
  v_state = state;
  v_alpha = (u_focus > 0.0 && (state & ${State.Lit | State.Focus | State.Hover}) == 0) ? mix(1.0, 0.16, u_focus) : 1.0;
  // Nodes below a pixel keep a pixel's size and give up opacity instead, so that they do not flicker.
  gl_PointSize = max(2.0 * v_extent, 2.0);
  gl_Position = (state & ${State.Hidden}) != 0 ? vec4(4.0, 4.0, 4.0, 1.0) : p;
}`;

export const NODE_FRAGMENT = `
uniform vec3 u_background;
uniform vec3 u_ring;
uniform float u_ratio;
in vec3 v_color;
flat in float v_radius;
flat in float v_extent;
flat in float v_alpha;
flat in int v_state;
out vec4 color;

void main() {
  float d = length(gl_PointCoord - 0.5) * 2.0 * v_extent;
  float disc = 1.0 - smoothstep(v_radius - 0.7, v_radius + 0.7, d);
  // A rim in the background's colour keeps neighbours apart once there is room for one.
  float rim = smoothstep(2.5, 6.0, v_radius / u_ratio) * 0.85;
  float inner = 1.0 - smoothstep(v_radius - 1.3 * u_ratio - 0.7, v_radius - 1.3 * u_ratio + 0.7, d);
  vec3 fill = mix(v_color, mix(u_background, v_color, inner), rim);
  float alpha = disc;
  if ((v_state & ${State.Focus | State.Hover}) != 0) {
    float gap = v_radius + 2.0 * u_ratio;
    float ring = smoothstep(gap - 0.7, gap + 0.7, d) * (1.0 - smoothstep(gap + 2.0 * u_ratio - 0.7, gap + 2.0 * u_ratio + 0.7, d));
    if ((v_state & ${State.Focus}) == 0) ring *= 0.6;
    fill = mix(fill, u_ring, ring * (1.0 - disc));
    alpha = max(disc, ring);
  }
  alpha *= v_alpha;
  if (alpha < 0.004) discard;
  color = vec4(fill * alpha, alpha);
}`;

export const EDGE_VERTEX = `${COMMON}
uniform float u_width;
uniform float u_opacity;
uniform float u_fadeLength;
uniform float u_lit;
layout(location = 0) in uvec2 a_ends;
out vec3 v_color;
flat out float v_alpha;
out float v_across;
flat out float v_half;

void main() {
  vec4 nowhere = vec4(4.0, 4.0, 4.0, 1.0);
  int s = int(a_ends.x);
  int t = int(a_ends.y);
  vec4 lookS = texelFetch(u_look, cell(s), 0);
  vec4 lookT = texelFetch(u_look, cell(t), 0);
  int stateS = stateOf(lookS);
  int stateT = stateOf(lookT);
  gl_Position = nowhere;
  v_alpha = 0.0;
  v_across = 0.0;
  v_half = 1.0;
  v_color = vec3(0.0);
  if (((stateS | stateT) & ${State.Hidden}) != 0) return;
  vec4 ps = place(s);
  vec4 pt = place(t);
  if (lost(ps) || lost(pt)) return;
  vec2 half_ = u_viewport * 0.5;
  vec2 a = ps.xy / ps.w * half_;
  vec2 b = pt.xy / pt.w * half_;
  // Both ends beyond the same side: nothing of it can be seen.
  if (any(greaterThan(min(a, b), half_)) || any(lessThan(max(a, b), -half_))) return;
  vec2 along = b - a;
  float len = length(along);
  if (len < 0.75) return;
  // Thin lines are drawn a pixel wide and paler: that is what thin looks like.
  float width = max(u_width, 1.0);
  v_half = width * 0.5;
  vec2 normal = vec2(-along.y, along.x) / len * (v_half + 1.0);
  float end = float(gl_VertexID >> 1);
  float side = float(gl_VertexID & 1) * 2.0 - 1.0;
  v_across = side * (v_half + 1.0);
  vec2 at = mix(a, b, end) + normal * side;
  vec4 base = mix(ps, pt, end);
  gl_Position = vec4(at / half_ * base.w, base.z, base.w);
  v_color = mix(lookS.rgb, lookT.rgb, end);
  // Long edges cross everything and tell little: they step back.
  float fade = u_lit > 0.0 ? 1.0 : clamp(u_fadeLength / len, 0.12, 1.0);
  float lit = (stateS & stateT & ${State.Lit | State.Focus}) != 0 ? 1.0 : mix(1.0, 0.18, u_focus);
  v_alpha = u_opacity * min(u_width, 1.0) * fade * (u_lit > 0.0 ? 1.0 : lit) * (1.0 - haze(base.w));
}`;

export const EDGE_FRAGMENT = `
uniform float u_glow;
uniform float u_shade;
in vec3 v_color;
flat in float v_alpha;
in float v_across;
flat in float v_half;
out vec4 color;

void main() {
  float cover = 1.0 - smoothstep(v_half - 0.5, v_half + 0.5, abs(v_across));
  float alpha = v_alpha * cover;
  if (alpha < 0.002) discard;
  // Darker than the nodes, so that these stand out from their own edges.
  vec3 c = v_color * u_shade;
  // With glow the line adds light but takes little away, so that bundles brighten.
  color = vec4(c * alpha, alpha * (1.0 - u_glow));
}`;

export const ARROW_VERTEX = `${COMMON}
layout(location = 0) in uvec2 a_ends;
out vec3 v_color;

void main() {
  int s = int(a_ends.x);
  int t = int(a_ends.y);
  vec4 look = texelFetch(u_look, cell(t), 0);
  vec4 lookS = texelFetch(u_look, cell(s), 0);
  vec4 ps = place(s);
  vec4 pt = place(t);
  gl_Position = vec4(4.0, 4.0, 4.0, 1.0);
  v_color = lookS.rgb;
  if (((stateOf(look) | stateOf(lookS)) & ${State.Hidden}) != 0 || lost(ps) || lost(pt)) return;
  vec2 half_ = u_viewport * 0.5;
  vec2 a = ps.xy / ps.w * half_;
  vec2 b = pt.xy / pt.w * half_;
  float len = length(b - a);
  float r = radius(t, pt.w) + 1.5 * u_ratio;
  float size = 6.0 * u_ratio;
  if (len < r + size * 2.5) return;
  vec2 dir = (b - a) / len;
  vec2 tip = b - dir * r;
  vec2 normal = vec2(-dir.y, dir.x);
  vec2 at = gl_VertexID == 0 ? tip : tip - dir * size + normal * (gl_VertexID == 1 ? 0.42 : -0.42) * size;
  gl_Position = vec4(at / half_ * pt.w, pt.z, pt.w);
}`;

export const ARROW_FRAGMENT = `
uniform float u_opacity;
in vec3 v_color;
out vec4 color;
void main() { color = vec4(v_color * u_opacity, u_opacity); }`;
