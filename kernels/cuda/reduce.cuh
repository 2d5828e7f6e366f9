// How do the threads of a block add up what they found? In a tree, so always in the same order.
#pragma once

struct Least {
    __device__ static float join(float a, float b) { return fminf(a, b); }
};
struct Most {
    __device__ static float join(float a, float b) { return fmaxf(a, b); }
};
struct Sum {
    template <class T> __device__ static T join(T a, T b) { return a + b; }
};

// Joins the `THREADS` numbers in `lanes`; every thread gets the result. All threads must call it.
template <class Join, class T> __device__ inline T reduce(T* lanes, T mine) {
    lanes[threadIdx.x] = mine;
    __syncthreads();
    for (u32 width = THREADS / 2; width > 0; width /= 2) {
        if (threadIdx.x < width) {
            lanes[threadIdx.x] = Join::join(lanes[threadIdx.x], lanes[threadIdx.x + width]);
        }
        __syncthreads();
    }
    T result = lanes[0];
    // The memory may be used again at once.
    __syncthreads();
    return result;
}
