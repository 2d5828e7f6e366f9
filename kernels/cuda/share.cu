// How much work is there, and where? What the nodes of each block cost, in the order of the cells, and the
// points of each block of the mesh: several devices share both by it. Twin: `twin/share.rs`.
//
// Counted in nodes that are looked at. Only the starts of the cells are read: what is looked at itself comes
// later, on the device that it falls to.
#pragma once

// What a node costs beside its near pairs (its mesh points, its neighbours, its step), and a mesh point beside
// the nodes that touch it.
#define NODE_COST 64u
#define POINT_COST 8u

extern "C" __global__ void __launch_bounds__(THREADS)
share_nodes(const u32* __restrict__ starts, u64* __restrict__ costs, u32 nodes, u32 axes, u32 count, u32 cells) {
    __shared__ u64 lanes[THREADS];
    u32 at = thread_number();
    u64 cost = 0;
    if (at < nodes) {
        // The last cell that begins at the node or before: the one that it is in.
        u32 low = 0, high = cells;
        while (high - low > 1) {
            u32 middle = low + (high - low) / 2;
            if (starts[middle] <= at) {
                low = middle;
            } else {
                high = middle;
            }
        }
        cost = NODE_COST;
        int up = axes == 3 ? 1 : 0;
        for (int layer = -up; layer <= up; ++layer) {
            for (int row = -1; row <= 1; ++row) {
                u32 cell = low + (u32)((layer * (int)count + row) * (int)count);
                cost += starts[cell + 2] - starts[cell - 1];
            }
        }
    }
    cost = reduce<Sum>(lanes, cost);
    if (threadIdx.x == 0) {
        costs[blockIdx.x] = cost;
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
share_points(const u32* __restrict__ starts, u64* __restrict__ costs, u32 side, u32 axes, u32 count, u32 points) {
    __shared__ u64 lanes[THREADS];
    u32 point = thread_number();
    u64 cost = 0;
    if (point < points) {
        u32 place[3] = {point % side, point / side % side, point / side / side};
        u32 first[3] = {0, 0, 0}, last[3] = {0, 0, 0};
        for (u32 axis = 0; axis < axes; ++axis) {
            if (axes == 2) {
                touching<2>(place[axis], count, &first[axis], &last[axis]);
            } else {
                touching<3>(place[axis], count, &first[axis], &last[axis]);
            }
        }
        cost = POINT_COST;
        for (u32 layer = first[2]; layer <= last[2]; ++layer) {
            for (u32 row = first[1]; row <= last[1]; ++row) {
                u32 cell = (layer * count + row) * count;
                cost += starts[cell + last[0] + 1] - starts[cell + first[0]];
            }
        }
    }
    cost = reduce<Sum>(lanes, cost);
    if (threadIdx.x == 0) {
        costs[blockIdx.x] = cost;
    }
}
