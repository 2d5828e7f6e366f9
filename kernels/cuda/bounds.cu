// Where do the nodes lie, and so the near cells? Twin: `Bounds::of` and `Frame::new` of the processor.
#pragma once

// Near cells, or a part of one, that stay free round the nodes; `MARGIN` of the processor's `frame.rs`.
#define MARGIN 0.05f

// The box of the nodes that this block strides over; six numbers for each block.
extern "C" __global__ void __launch_bounds__(THREADS)
bounds_pieces(const float* __restrict__ positions, float* __restrict__ pieces, u32 nodes) {
    __shared__ float lanes[THREADS];
    // Of an axis without any node; the numbers of an empty box.
    const float infinity = 3.402823466e+38f;
    float least[3] = {infinity, infinity, infinity};
    float most[3] = {-infinity, -infinity, -infinity};
    for (u32 node = thread_number(); node < nodes; node += gridDim.x * THREADS) {
        for (int axis = 0; axis < 3; ++axis) {
            float c = positions[3 * node + axis];
            least[axis] = fminf(least[axis], c);
            most[axis] = fmaxf(most[axis], c);
        }
    }
    for (int axis = 0; axis < 3; ++axis) {
        float low = reduce<Least>(lanes, least[axis]);
        float high = reduce<Most>(lanes, most[axis]);
        if (threadIdx.x == 0) {
            pieces[6 * blockIdx.x + axis] = low;
            pieces[6 * blockIdx.x + 3 + axis] = high;
        }
    }
}

// One block: the box of all, and the near cells in it, of which there are `count` along each axis.
extern "C" __global__ void __launch_bounds__(THREADS)
bounds_frame(const float* __restrict__ pieces, const Knobs* __restrict__ knobs, Report* __restrict__ report,
             u32 piece_count, u32 count) {
    __shared__ float lanes[THREADS];
    const float infinity = 3.402823466e+38f;
    float longest = 0.0f;
    for (int axis = 0; axis < 3; ++axis) {
        float low = infinity, high = -infinity;
        for (u32 piece = threadIdx.x; piece < piece_count; piece += THREADS) {
            low = fminf(low, pieces[6 * piece + axis]);
            high = fmaxf(high, pieces[6 * piece + 3 + axis]);
        }
        low = reduce<Least>(lanes, low);
        high = reduce<Most>(lanes, high);
        longest = fmaxf(longest, high - low);
        if (threadIdx.x == 0) {
            report->least[axis] = low;
            report->most[axis] = high;
        }
    }
    if (threadIdx.x != 0) {
        return;
    }
    // The outermost cells stay empty.
    float reach = fmaxf(longest / ((float)(count - 2) - 2.0f * MARGIN), knobs->least_reach);
    float half = 0.5f * (float)count * reach;
    for (int axis = 0; axis < 3; ++axis) {
        report->origin[axis] = 0.5f * report->least[axis] + 0.5f * report->most[axis] - half;
    }
    report->reach = reach;
    report->scale = 1.0f / reach;
    report->finest = reach <= knobs->least_reach ? 1u : 0u;
    // One node far outside must not make the others' movements look small.
    report->extent = fmaxf(fminf(longest, 2.0f * knobs->outermost), knobs->rest_length);
    report->squares = 0;
}
