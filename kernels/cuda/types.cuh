// What do host and device tell each other? `kernels/src/cuda/words.rs` has the same structures.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

// Memory that the threads of a block share, of a size that the launch says. The emulator has its own.
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

// Threads of every block.
#define THREADS 256u

// Largest magnitude of a coordinate; `WORLD_LIMIT` of the crate.
#define WORLD_LIMIT 1e7f

// What can change between two ticks without any buffer changing its size. Uploaded before each tick.
struct Knobs {
    u64 seed;
    float repulsion;
    float attraction;
    float gravity;
    float damping;
    // Share of the longest safe step.
    float step;
    float max_speed;
    float heat;
    float rest_length;
    float softening;
    // Narrowest near cell, in world units.
    float least_reach;
    float contain_from;
    float contain_strength;
    float outermost;
    u32 strong_gravity;
    u32 lin_log;
    // 2 or 3.
    u32 axes;
};

// Where the near cells lie, and what a tick found out. Downloaded after each tick.
struct Report {
    // Sum of the squares of the cells' counts: what near pairs cost.
    u64 squares;
    // Sum of the distances that free nodes moved.
    double moved;
    float longest;
    u32 free;
    // Box round all nodes before the tick.
    float least[3];
    float most[3];
    // Corner of the near cells, and near cells per world unit.
    float origin[3];
    float scale;
    // Side of a near cell in world units.
    float reach;
    // What movements are measured against, in world units.
    float extent;
    // 1 where near cells are as narrow as may be.
    u32 finest;
    // Free nodes that were moved away from others in the same place.
    u32 parted;
};

// Mesh points per near cell, along an axis.
template <int D> __device__ constexpr float ratio() { return D == 2 ? 2.0f : 1.0f; }

// Number of this thread among all of the grid.
__device__ inline u32 thread_number() { return blockIdx.x * THREADS + threadIdx.x; }
