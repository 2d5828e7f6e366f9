// How do the edges pull? Twin: `cpu/springs.rs`.
//
// A node's thread sums its own row. A hub's row would keep one thread busy while all others have
// finished: rows of more than `LONG` neighbours have a block each, launched before.
#pragma once

// Neighbours from which on a row has a block of its own; `LONG` in `memory.rs`.
#define LONG 128u

// Adds the pull of one neighbour, and how stiff it is. LinLog makes ln(1 + d) of a distance d.
__device__ inline void pull(const float* __restrict__ positions, const float* here, u32 neighbour,
                            float strength, bool lin_log, float* sum) {
    float apart[3];
    float square = 0.0f;
    for (int axis = 0; axis < 3; ++axis) {
        apart[axis] = positions[3 * neighbour + axis] - here[axis];
        square += apart[axis] * apart[axis];
    }
    float length = sqrtf(square);
    if (lin_log && length >= 1e-3f) {
        strength *= log1pf(length) / length;
    }
    for (int axis = 0; axis < 3; ++axis) {
        sum[axis] += strength * apart[axis];
    }
    sum[3] += strength;
}

// The pull on each node whose row is long: a block sums one row, always in the same order. Only of nodes whose
// rank lies from `first` to `end`: those of others are other devices'.
extern "C" __global__ void __launch_bounds__(THREADS)
springs_long(const float* __restrict__ positions, const u32* __restrict__ rows,
             const u32* __restrict__ neighbours, const float* __restrict__ weights,
             const Knobs* __restrict__ knobs, const u32* __restrict__ hubs, const u32* __restrict__ rank,
             float4* __restrict__ pulls, u32 weighted, u32 first, u32 end) {
    __shared__ float lanes[THREADS];
    u32 node = hubs[blockIdx.x];
    if (rank[node] < first || rank[node] >= end) {
        return;
    }
    float here[3] = {positions[3 * node], positions[3 * node + 1], positions[3 * node + 2]};
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (u32 at = rows[node] + threadIdx.x; at < rows[node + 1]; at += THREADS) {
        pull(positions, here, neighbours[at], weighted ? weights[at] : 1.0f, knobs->lin_log != 0, sum);
    }
    for (int part = 0; part < 4; ++part) {
        sum[part] = reduce<Sum>(lanes, sum[part]);
    }
    if (threadIdx.x == 0) {
        pulls[node] = make_float4(sum[0], sum[1], sum[2], sum[3]);
    }
}

// The pull on `node`.
__device__ inline float4 springs(const float* __restrict__ positions, const u32* __restrict__ rows,
                                 const u32* __restrict__ neighbours, const float* __restrict__ weights,
                                 const float4* __restrict__ pulls, u32 node, const float* here, bool weighted,
                                 bool lin_log) {
    u32 begin = rows[node], end = rows[node + 1];
    if (end - begin > LONG) {
        return pulls[node];
    }
    float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (u32 at = begin; at < end; ++at) {
        pull(positions, here, neighbours[at], weighted ? weights[at] : 1.0f, lin_log, sum);
    }
    return make_float4(sum[0], sum[1], sum[2], sum[3]);
}
