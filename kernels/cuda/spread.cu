// How much mass lies at each mesh point? Twin: `cpu/mesh/spread.rs`.
//
// A mesh point gathers from the nodes whose splines touch it, in the order in which they are sorted,
// instead of the nodes scattering: no atomics on floating-point numbers, so the same bits each time.
// A row of neighbouring cells is one run of nodes, which the threads of a warp read together. Of several
// devices each does its own points.
#pragma once

// First and last near cell along an axis whose nodes touch mesh point `point`.
template <int D> __device__ inline void touching(u32 point, u32 count, u32* first, u32* last) {
    int low, high;
    if (D == 2) {
        low = ((int)point - 1) / 2;
        high = ((int)point + 4) / 2 - 1;
    } else {
        low = (int)point - 2;
        high = (int)point + 1;
    }
    *first = (u32)(low > 0 ? low : 0);
    *last = (u32)(high < (int)count - 1 ? high : (int)count - 1);
}

template <int D>
__device__ inline void spread(const float4* __restrict__ places, const u32* __restrict__ starts,
                              float* __restrict__ mesh, u32 side, u32 count, u32 first_point, u32 end_point) {
    u32 point = first_point + thread_number();
    if (point >= end_point) {
        return;
    }
    u32 x = point % side, y = point / side % side, z = point / side / side;
    u32 first[3] = {0, 0, 0}, last[3] = {0, 0, 0};
    touching<D>(x, count, &first[0], &last[0]);
    touching<D>(y, count, &first[1], &last[1]);
    if (D == 3) {
        touching<D>(z, count, &first[2], &last[2]);
    }
    // A node at place p is at distance p + 1 - point from a point; written so that it is exact.
    float shift[3] = {(float)x - 1.0f, (float)y - 1.0f, (float)z - 1.0f};
    float sum = 0.0f;
    for (u32 layer = first[2]; layer <= last[2]; ++layer) {
        for (u32 row = first[1]; row <= last[1]; ++row) {
            u32 cells = (layer * count + row) * count;
            u32 end = starts[cells + last[0] + 1];
            for (u32 at = starts[cells + first[0]]; at < end; ++at) {
                float4 node = places[at];
                float part = node.w * share((node.x - 1.0f) * ratio<D>() - shift[0]) *
                             share((node.y - 1.0f) * ratio<D>() - shift[1]);
                sum += D == 2 ? part : part * share((node.z - 1.0f) * ratio<D>() - shift[2]);
            }
        }
    }
    mesh[point] = sum;
}

extern "C" __global__ void __launch_bounds__(THREADS)
spread_2(const float4* places, const u32* starts, float* mesh, u32 side, u32 count, u32 first_point,
         u32 end_point) {
    spread<2>(places, starts, mesh, side, count, first_point, end_point);
}

extern "C" __global__ void __launch_bounds__(THREADS)
spread_3(const float4* places, const u32* starts, float* mesh, u32 side, u32 count, u32 first_point,
         u32 end_point) {
    spread<3>(places, starts, mesh, side, count, first_point, end_point);
}
