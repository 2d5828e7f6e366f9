// How strongly is each node pushed? The near pairs, and the slope of the potential. Twin:
// `cpu/mesh/near.rs`, `read.rs` and `field.rs`.
#pragma once

// The push by the near pairs, `sum[0..3]`, and their stiffness, `sum[3]`, in reaches. Returns whether a
// node that comes earlier lies in the very same place; such a pair does not act.
template <int D>
__device__ inline bool near_pairs(const float4* __restrict__ places, const u32* __restrict__ starts, u32 at,
                                  u32 cell, u32 count, float softening_squared, float* sum) {
    float4 here = places[at];
    bool same = false;
    int up = D == 3 ? 1 : 0;
    // Not unrolled: nine copies of the loop over nodes are not faster.
#pragma unroll 1
    for (int layer = -up; layer <= up; ++layer) {
#pragma unroll 1
        for (int row = -1; row <= 1; ++row) {
            u32 middle = cell + (u32)((layer * (int)count + row) * (int)count);
            // Three neighbouring cells of a row hold one run of nodes.
            u32 end = starts[middle + 2];
            for (u32 other = starts[middle - 1]; other < end; ++other) {
                float4 there = places[other];
                float x = here.x - there.x, y = here.y - there.y, z = D == 3 ? here.z - there.z : 0.0f;
                float square = x * x + y * y + z * z;
                if (square >= 1.0f) {
                    continue;
                }
                if (square == 0.0f) {
                    same = same || other < at;
                    continue;
                }
                float near = 1.0f - square;
                float bend = there.w * near / (square + softening_squared);
                float weight = bend * (near * near * near);
                sum[0] += x * weight;
                sum[1] += y * weight;
                sum[2] += z * weight;
                sum[3] += bend;
            }
        }
    }
    return same;
}

// The downward slope of the potential, `out[0..3]`, and how strongly it bends, `out[3]`: the Frobenius
// norm of its second derivatives. Counted in mesh points.
template <int D>
__device__ inline void slope(const float* __restrict__ mesh, u32 side, float4 place, float* out) {
    Spline x = spline_at<D>(place.x), y = spline_at<D>(place.y);
    Spline z;
    if (D == 3) {
        z = spline_at<D>(place.z);
    }
    // First and second derivatives: x, y, z, xx, yy, zz, xy, xz, yz.
    float d[9] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    for (int layer = 0; layer < (D == 3 ? TAPS : 1); ++layer) {
        float zw = D == 3 ? z.weights[layer] : 1.0f;
        float zs = D == 3 ? z.slopes[layer] : 0.0f;
        float zb = D == 3 ? z.bends[layer] : 0.0f;
        for (int row = 0; row < TAPS; ++row) {
            u32 first = (D == 3 ? (z.base + layer) * side * side : 0) + (y.base + row) * side + x.base;
            float plain = 0.0f, sloped = 0.0f, bent = 0.0f;
            for (int tap = 0; tap < TAPS; ++tap) {
                float value = mesh[first + tap];
                plain += value * x.weights[tap];
                sloped += value * x.slopes[tap];
                bent += value * x.bends[tap];
            }
            float yw = y.weights[row], ys = y.slopes[row], yb = y.bends[row];
            d[0] += sloped * yw * zw;
            d[1] += plain * ys * zw;
            d[2] += plain * yw * zs;
            d[3] += bent * yw * zw;
            d[4] += plain * yb * zw;
            d[5] += plain * yw * zb;
            d[6] += sloped * ys * zw;
            d[7] += sloped * yw * zs;
            d[8] += plain * ys * zs;
        }
    }
    out[0] = -d[0];
    out[1] = -d[1];
    out[2] = -d[2];
    out[3] = sqrtf(d[3] * d[3] + d[4] * d[4] + d[5] * d[5] +
                   2.0f * (d[6] * d[6] + d[7] * d[7] + d[8] * d[8]));
}

// The push and its stiffness, per unit of mass and of repulsion, in world units, and whether the node has to
// be moved away from another one in the same place: of the nodes from `first` to `end` in the order of the
// cells, and in that order.
template <int D>
__device__ inline void field(const float4* __restrict__ places, const u32* __restrict__ cell_at,
                             const u32* __restrict__ starts, const float* __restrict__ mesh,
                             const Knobs* __restrict__ knobs, const Report* __restrict__ report,
                             float4* __restrict__ fields, u8* __restrict__ same, u32 side, u32 count,
                             u32 first, u32 end) {
    u32 at = first + thread_number();
    if (at >= end) {
        return;
    }
    float softening = knobs->softening / report->reach;
    float near[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    bool twin = near_pairs<D>(places, starts, at, cell_at[at], count, softening * softening, near);
    float far[4];
    slope<D>(mesh, side, places[at], far);
    float per_reach = 1.0f / report->reach;
    // The derivative of the short part is at most 1.6 times the sum of its bends.
    float stiffness = 1.6f * near[3] + far[3] * ratio<D>() * ratio<D>();
    fields[at] = make_float4((near[0] + far[0] * ratio<D>()) * per_reach,
                             (near[1] + far[1] * ratio<D>()) * per_reach,
                             D == 3 ? (near[2] + far[2] * ratio<D>()) * per_reach : 0.0f,
                             stiffness * per_reach * per_reach);
    same[at] = twin ? 1 : 0;
}

extern "C" __global__ void __launch_bounds__(THREADS, 4)
field_2(const float4* places, const u32* cell_at, const u32* starts, const float* mesh, const Knobs* knobs,
        const Report* report, float4* fields, u8* same, u32 side, u32 count, u32 first, u32 end) {
    field<2>(places, cell_at, starts, mesh, knobs, report, fields, same, side, count, first, end);
}

extern "C" __global__ void __launch_bounds__(THREADS, 4)
field_3(const float4* places, const u32* cell_at, const u32* starts, const float* mesh, const Knobs* knobs,
        const Report* report, float4* fields, u8* same, u32 side, u32 count, u32 first, u32 end) {
    field<3>(places, cell_at, starts, mesh, knobs, report, fields, same, side, count, first, end);
}
