// Where does each node go? Adds the forces up and takes a safe step. Twin: `cpu/integrate.rs` and
// `cpu/gravity.rs`.
#pragma once

// Of one block: what its free nodes did.
struct Movement {
    double sum;
    float longest;
    u32 free;
    // Of those, how many were moved away from others in the same place.
    u32 parted;
};

// The way of one free node; `way` holds that of the step before.
__device__ inline void next_way(const Knobs* __restrict__ knobs, const float* here, float mass, float warmth,
                                float extent, float4 pulls, float4 push, float* way) {
    float radius = sqrtf(here[0] * here[0] + here[1] * here[1] + here[2] * here[2]);
    float further = fmaxf(radius, 1.0f);
    float gravity = knobs->strong_gravity ? knobs->gravity : knobs->gravity / further;
    float outside = fmaxf(radius - knobs->contain_from, 0.0f);
    float inward = mass * (gravity + knobs->contain_strength * outside / further);
    float held = radius > knobs->contain_from ? knobs->contain_strength : 0.0f;
    float pushed = knobs->repulsion * mass;
    float curvature =
        2.0f * knobs->attraction * pulls.w + 2.0f * pushed * push.w + mass * (gravity + held);
    // No force at all leaves 0 / 0: a lone node without gravity stays.
    float rate = knobs->step / fmaxf(curvature, 1.17549435e-32f);
    float pulled[3] = {pulls.x, pulls.y, pulls.z}, fled[3] = {push.x, push.y, push.z};
    float square = 0.0f;
    for (int axis = 0; axis < 3; ++axis) {
        float force = knobs->attraction * pulled[axis] + pushed * fled[axis] - inward * here[axis];
        way[axis] = way[axis] * (1.0f - knobs->damping) + force * rate;
        square += way[axis] * way[axis];
    }
    float length = sqrtf(square);
    if (!isfinite(length)) {
        way[0] = way[1] = way[2] = 0.0f;
        return;
    }
    // One that a hand has left far outside may come home however cold the layout is.
    float homeward = knobs->max_speed * fmaxf(radius - knobs->outermost, 0.0f);
    float reach = fmaxf(knobs->max_speed * extent * fmaxf(knobs->heat, warmth), homeward);
    if (length > reach) {
        for (int axis = 0; axis < 3; ++axis) {
            way[axis] *= reach / length;
        }
    }
}

// Where the nodes from `first` to `end` go, in the order of the cells: not yet moved away from others in the
// same place. `first` is the begin of a block.
extern "C" __global__ void __launch_bounds__(THREADS)
step_nodes(const float* __restrict__ positions, const float* __restrict__ velocities,
           float* __restrict__ moved, const float* __restrict__ masses, const u8* __restrict__ fixed,
           const float* __restrict__ warmth, const u32* __restrict__ rows,
           const u32* __restrict__ neighbours, const float* __restrict__ weights,
           const float4* __restrict__ pulls, const float4* __restrict__ fields, const u8* __restrict__ same,
           const u32* __restrict__ order, const Knobs* __restrict__ knobs, const Report* __restrict__ report,
           Movement* __restrict__ movements, u32 weighted, u32 first, u32 end) {
    __shared__ double sums[THREADS];
    __shared__ float longests[THREADS];
    __shared__ u32 frees[THREADS];
    u32 at = first + thread_number();
    u32 node = at < end ? order[at] : 0;
    float distance = 0.0f;
    bool free = at < end && !fixed[node];
    bool part = free && same[at];
    if (free) {
        float here[3] = {positions[3 * node], positions[3 * node + 1], positions[3 * node + 2]};
        float way[3] = {velocities[3 * node], velocities[3 * node + 1], velocities[3 * node + 2]};
        float4 pulled =
            springs(positions, rows, neighbours, weights, pulls, node, here, weighted != 0, knobs->lin_log != 0);
        next_way(knobs, here, masses[node], warmth[node], report->extent, pulled, fields[at], way);
        float square = 0.0f;
        for (int axis = 0; axis < 3; ++axis) {
            float to = fminf(fmaxf(here[axis] + way[axis], -WORLD_LIMIT), WORLD_LIMIT);
            float went = to - here[axis];
            square += went * went;
            moved[3 * at + axis] = to;
        }
        distance = sqrtf(square);
    } else if (at < end) {
        for (int axis = 0; axis < 3; ++axis) {
            moved[3 * at + axis] = positions[3 * node + axis];
        }
    }
    double sum = reduce<Sum>(sums, (double)distance);
    float longest = reduce<Most>(longests, distance);
    u32 count = reduce<Sum>(frees, free ? 1u : 0u);
    u32 parted = reduce<Sum>(frees, part ? 1u : 0u);
    // Of no block of this device's where it has no node at all.
    if (threadIdx.x == 0 && at < end) {
        Movement* movement = &movements[first / THREADS + blockIdx.x];
        movement->sum = sum;
        movement->longest = longest;
        movement->free = count;
        movement->parted = parted;
    }
}

// One block: all movements together.
extern "C" __global__ void __launch_bounds__(THREADS)
step_total(const Movement* __restrict__ movements, Report* __restrict__ report, u32 blocks) {
    __shared__ double sums[THREADS];
    __shared__ float longests[THREADS];
    __shared__ u32 frees[THREADS];
    double sum = 0.0;
    float longest = 0.0f;
    u32 free = 0, parted = 0;
    for (u32 block = threadIdx.x; block < blocks; block += THREADS) {
        sum += movements[block].sum;
        longest = fmaxf(longest, movements[block].longest);
        free += movements[block].free;
        parted += movements[block].parted;
    }
    sum = reduce<Sum>(sums, sum);
    longest = reduce<Most>(longests, longest);
    free = reduce<Sum>(frees, free);
    parted = reduce<Sum>(frees, parted);
    if (threadIdx.x == 0) {
        report->moved = sum;
        report->longest = longest;
        report->free = free;
        report->parted = parted;
    }
}

// The new positions become the positions, and how far each node came its velocity: the springs read the
// positions of neighbours, so not before all are done. Nodes in one place do not push each other: all but the
// first are moved apart, which is no momentum.
extern "C" __global__ void __launch_bounds__(THREADS)
step_commit(const float* __restrict__ moved, const u8* __restrict__ same, const u32* __restrict__ order,
            const u8* __restrict__ fixed, const u32* __restrict__ ids, const Knobs* __restrict__ knobs,
            float* __restrict__ positions, float* __restrict__ velocities, u32 nodes) {
    u32 at = thread_number();
    if (at >= nodes) {
        return;
    }
    u32 node = order[at];
    bool part = same[at] && !fixed[node];
    float offset[3] = {0.0f, 0.0f, 0.0f};
    if (part) {
        in_ball(knobs->axes, knobs->seed, ids[node], offset);
    }
    for (int axis = 0; axis < 3; ++axis) {
        float to = moved[3 * at + axis];
        velocities[3 * node + axis] = to - positions[3 * node + axis];
        // Far out, far enough for single precision to notice.
        float length = fmaxf(knobs->softening, fabsf(to) * 1e-5f);
        positions[3 * node + axis] =
            part ? fminf(fmaxf(to + offset[axis] * length, -WORLD_LIMIT), WORLD_LIMIT) : to;
    }
}
