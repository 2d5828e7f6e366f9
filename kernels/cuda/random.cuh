// Which way does a node go that lies exactly on another? Twin: `random.rs`, to the bit.
#pragma once

// 64 well-spread bits of a seed and a name (SplitMix64; Steele, Lea and Flood, 2014).
__device__ inline u64 mix(u64 seed, u64 name) {
    u64 bits = seed + name * 0x9E3779B97F4A7C15ull;
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9ull;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBull;
    return bits ^ (bits >> 31);
}

// A number in 0..1 for the `round`-th draw of `name`.
__device__ inline float unit(u64 seed, u32 name, u32 round) {
    u64 bits = mix(seed ^ 0x5851F42D4C957F2Dull, (u64)name << 32 | round);
    return (float)(bits >> 40) / 16777216.0f;
}

// A point in the unit disc or ball, never its centre.
__device__ inline void in_ball(u32 axes, u64 seed, u32 name, float* point) {
    for (u32 round = 0; round < 32; ++round) {
        float square = 0.0f;
        for (u32 axis = 0; axis < 3; ++axis) {
            point[axis] = axis < axes ? 2.0f * unit(seed, name, round * 3 + axis) - 1.0f : 0.0f;
            square += point[axis] * point[axis];
        }
        if (square <= 1.0f && square > 1e-4f) {
            return;
        }
    }
    point[0] = 1.0f;
    point[1] = point[2] = 0.0f;
}
