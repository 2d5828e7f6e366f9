// Which nodes lie in which near cell? Sorts by counting. Twin: `cpu/mesh/cells.rs`.
//
// Whole numbers may be added in any order, so cells are counted with atomics. What they cannot give
// is an order inside a cell: each node takes it from how many of its cell have a lower number.
#pragma once

// Counts that one block scans.
#define SCANNED (4u * THREADS)

// A place counted in near cells; rounding never carries it into an empty outermost cell.
__device__ inline float local_at(float c, float origin, float scale, u32 count) {
    float end = (float)(count - 1) * (1.0f - 2.0f * 1.1920929e-7f);
    return fminf(fmaxf((c - origin) * scale, 1.0f), end);
}

extern "C" __global__ void __launch_bounds__(THREADS) cells_clear(u32* __restrict__ counts, u32 cells) {
    u32 cell = thread_number();
    if (cell < cells) {
        counts[cell] = 0;
    }
}

// The cell of each node, and how many of the same cell came before it: in any order.
extern "C" __global__ void __launch_bounds__(THREADS)
cells_count(const float* __restrict__ positions, const Knobs* __restrict__ knobs,
            const Report* __restrict__ report, u32* __restrict__ cell_of, u32* __restrict__ arrival,
            u32* __restrict__ counts, u32 nodes, u32 count) {
    u32 node = thread_number();
    if (node >= nodes) {
        return;
    }
    u32 cell = 0;
    for (int axis = (int)knobs->axes - 1; axis >= 0; --axis) {
        float local = local_at(positions[3 * node + axis], report->origin[axis], report->scale, count);
        cell = cell * count + (u32)local;
    }
    cell_of[node] = cell;
    arrival[node] = atomicAdd(&counts[cell], 1u);
}

// Prefix sums of the counts inside each block's part, and the part's total.
extern "C" __global__ void __launch_bounds__(THREADS)
cells_scan(const u32* __restrict__ counts, u32* __restrict__ starts, u32* __restrict__ totals,
           Report* __restrict__ report, u32 cells) {
    __shared__ u32 lanes[THREADS];
    __shared__ u64 squares[THREADS];
    u32 first = blockIdx.x * SCANNED + 4 * threadIdx.x;
    u32 held[4];
    u32 mine = 0;
    u64 square = 0;
    for (u32 at = 0; at < 4; ++at) {
        held[at] = first + at < cells ? counts[first + at] : 0;
        mine += held[at];
        square += (u64)held[at] * held[at];
    }
    square = reduce<Sum>(squares, square);
    lanes[threadIdx.x] = mine;
    __syncthreads();
    for (u32 far = 1; far < THREADS; far *= 2) {
        u32 before = threadIdx.x >= far ? lanes[threadIdx.x - far] : 0;
        __syncthreads();
        lanes[threadIdx.x] += before;
        __syncthreads();
    }
    u32 next = lanes[threadIdx.x] - mine;
    for (u32 at = 0; at < 4; ++at) {
        if (first + at < cells) {
            starts[first + at] = next;
        }
        next += held[at];
    }
    if (threadIdx.x == THREADS - 1) {
        totals[blockIdx.x] = lanes[threadIdx.x];
        atomicAdd(&report->squares, square);
    }
}

// One block: prefix sums of the totals, in place.
extern "C" __global__ void __launch_bounds__(THREADS) cells_totals(u32* __restrict__ totals, u32 parts) {
    __shared__ u32 lanes[THREADS];
    u32 carried = 0;
    for (u32 first = 0; first < parts; first += THREADS) {
        u32 at = first + threadIdx.x;
        u32 mine = at < parts ? totals[at] : 0;
        lanes[threadIdx.x] = mine;
        __syncthreads();
        for (u32 far = 1; far < THREADS; far *= 2) {
            u32 before = threadIdx.x >= far ? lanes[threadIdx.x - far] : 0;
            __syncthreads();
            lanes[threadIdx.x] += before;
            __syncthreads();
        }
        if (at < parts) {
            totals[at] = carried + lanes[threadIdx.x] - mine;
        }
        carried += lanes[THREADS - 1];
        __syncthreads();
    }
}

// Where each cell begins among the sorted nodes, and one past the last of all.
extern "C" __global__ void __launch_bounds__(THREADS)
cells_starts(u32* __restrict__ starts, const u32* __restrict__ totals, u32 cells, u32 nodes) {
    u32 cell = thread_number();
    if (cell < cells) {
        starts[cell] += totals[cell / SCANNED];
    } else if (cell == cells) {
        starts[cell] = nodes;
    }
}

// The nodes by cell, inside a cell as they came.
extern "C" __global__ void __launch_bounds__(THREADS)
cells_arrive(const u32* __restrict__ cell_of, const u32* __restrict__ arrival, const u32* __restrict__ starts,
             u32* __restrict__ arrived, u32 nodes) {
    u32 node = thread_number();
    if (node < nodes) {
        arrived[starts[cell_of[node]] + arrival[node]] = node;
    }
}

// The nodes by cell, inside a cell by number, with all that the push wants to know of them: their
// place counted in near cells, and their mass. What this costs is a small part of the near pairs. `rank` is
// where each node is in that order.
extern "C" __global__ void __launch_bounds__(THREADS)
cells_order(const float* __restrict__ positions, const float* __restrict__ masses,
            const Knobs* __restrict__ knobs, const Report* __restrict__ report,
            const u32* __restrict__ cell_of, const u32* __restrict__ starts, const u32* __restrict__ arrived,
            u32* __restrict__ order, u32* __restrict__ rank, u32* __restrict__ cell_at,
            float4* __restrict__ places, u32 nodes, u32 count) {
    u32 at = thread_number();
    if (at >= nodes) {
        return;
    }
    u32 node = arrived[at];
    u32 cell = cell_of[node];
    u32 begin = starts[cell], end = starts[cell + 1];
    u32 to = begin;
    for (u32 other = begin; other < end; ++other) {
        to += arrived[other] < node ? 1u : 0u;
    }
    order[to] = node;
    rank[node] = to;
    cell_at[to] = cell;
    float local[3] = {0.0f, 0.0f, 0.0f};
    for (u32 axis = 0; axis < knobs->axes; ++axis) {
        local[axis] = local_at(positions[3 * node + axis], report->origin[axis], report->scale, count);
    }
    places[to] = make_float4(local[0], local[1], local[2], masses[node]);
}
