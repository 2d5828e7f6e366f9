// How does a node spread over the mesh points round it, and read from them? By cubic B-splines.
// Twin: `cpu/mesh/spline.rs`.
#pragma once

// Mesh points that a spline touches, along an axis.
#define TAPS 4

// The share of a mesh point at a distance from a node, counted in mesh points.
__device__ inline float share(float distance) {
    float outer = fmaxf(2.0f - fabsf(distance), 0.0f);
    float inner = fmaxf(1.0f - fabsf(distance), 0.0f);
    return (outer * outer * outer - 4.0f * inner * inner * inner) * (1.0f / 6.0f);
}

// One spline along one axis, with its first and second derivative at each of the four points.
struct Spline {
    // First mesh point.
    u32 base;
    float weights[TAPS];
    float slopes[TAPS];
    float bends[TAPS];
};

template <int D> __device__ inline Spline spline_at(float local) {
    float place = (local - 1.0f) * ratio<D>();
    Spline spline;
    spline.base = (u32)place;
    float t = place - (float)spline.base;
    float left = 1.0f - t;
    spline.weights[0] = left * left * left * (1.0f / 6.0f);
    spline.weights[1] = (4.0f + t * t * (3.0f * t - 6.0f)) * (1.0f / 6.0f);
    spline.weights[2] = (1.0f + t * (3.0f + t * (3.0f - 3.0f * t))) * (1.0f / 6.0f);
    spline.weights[3] = t * t * t * (1.0f / 6.0f);
    spline.slopes[0] = -0.5f * left * left;
    spline.slopes[1] = t * (1.5f * t - 2.0f);
    spline.slopes[2] = 0.5f + t * (1.0f - 1.5f * t);
    spline.slopes[3] = 0.5f * t * t;
    spline.bends[0] = left;
    spline.bends[1] = 3.0f * t - 2.0f;
    spline.bends[2] = 1.0f - 3.0f * t;
    spline.bends[3] = t;
    return spline;
}
