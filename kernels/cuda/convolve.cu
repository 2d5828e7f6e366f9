// What potential do the masses on the mesh make? Twin: `cpu/mesh/convolve.rs`.
//
// The mesh is a corner of one twice as long, the rest of which is empty, so that ends do not meet.
// Empty rows are not transformed, and no more is kept than is read. Spectra lie as
// [z][y][x], x below `waves` = side + 1 because the masses are real; in 3D y is below `length`. Each
// pass reads all that it transforms before it writes, so it works in place.
#pragma once

DYNAMIC_SHARED(float2, pool);

// Row of the spectra for a row of the mesh.
__device__ inline u32 spectrum_row(u32 row, u32 side, u32 length, u32 axes) {
    return axes == 2 ? row : row / side * length + row % side;
}

// Along x. Two rows of the mesh are one line of complex numbers, taken apart by symmetry.
extern "C" __global__ void __launch_bounds__(THREADS)
convolve_forward_x(const float* __restrict__ mesh, float2* __restrict__ spectra,
                   const float2* __restrict__ roots, u32 side, u32 axes, u32 pairs, u32 lines) {
    u32 length = 2 * side, waves = side + 1;
    u32 first = blockIdx.x * lines;
    lines = lines < pairs - first ? lines : pairs - first;
    float2* from = pool;
    float2* spare = pool + lines * length;
    for (u32 work = threadIdx.x; work < lines * length; work += THREADS) {
        u32 line = work / length, x = work % length;
        u32 row = 2 * (first + line);
        from[work] = x < side ? make_float2(mesh[row * side + x], mesh[(row + 1) * side + x])
                              : make_float2(0.0f, 0.0f);
    }
    from = transform<false>(from, spare, length, lines, roots);
    for (u32 work = threadIdx.x; work < lines * waves; work += THREADS) {
        u32 line = work / waves, x = work % waves;
        u32 row = 2 * (first + line);
        float2 here = from[line * length + x];
        float2 there = conjugate(from[line * length + (length - x) % length]);
        float2 sum = add(here, there), difference = quarter<false>(subtract(here, there));
        u64 one = (u64)spectrum_row(row, side, length, axes) * waves + x;
        u64 other = (u64)spectrum_row(row + 1, side, length, axes) * waves + x;
        spectra[one] = make_float2(0.5f * sum.x, 0.5f * sum.y);
        spectra[other] = make_float2(0.5f * difference.x, 0.5f * difference.y);
    }
}

// Along y, in 3D, there or back. A block takes some neighbouring x of one layer.
template <bool BACK>
__device__ inline void along_y(float2* __restrict__ spectra, const float2* __restrict__ roots, u32 side,
                               u32 lines) {
    u32 length = 2 * side, waves = side + 1;
    u32 blocks = (waves + lines - 1) / lines;
    u32 first = blockIdx.x % blocks * lines;
    float2* layer = spectra + (u64)(blockIdx.x / blocks) * length * waves + first;
    lines = lines < waves - first ? lines : waves - first;
    float2* from = pool;
    float2* spare = pool + lines * length;
    u32 held = BACK ? length : side, kept = BACK ? side : length;
    for (u32 work = threadIdx.x; work < lines * length; work += THREADS) {
        u32 y = work / lines, line = work % lines;
        from[line * length + y] = y < held ? layer[(u64)y * waves + line] : make_float2(0.0f, 0.0f);
    }
    from = transform<BACK>(from, spare, length, lines, roots);
    for (u32 work = threadIdx.x; work < lines * kept; work += THREADS) {
        u32 y = work / lines, line = work % lines;
        layer[(u64)y * waves + line] = from[line * length + y];
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
convolve_forward_y(float2* spectra, const float2* roots, u32 side, u32 lines) {
    along_y<false>(spectra, roots, side, lines);
}

extern "C" __global__ void __launch_bounds__(THREADS)
convolve_inverse_y(float2* spectra, const float2* roots, u32 side, u32 lines) {
    along_y<true>(spectra, roots, side, lines);
}

// Along the last axis, there, times the kernel's transform, and back. `total` is the number of lines.
extern "C" __global__ void __launch_bounds__(THREADS)
convolve_filter(float2* __restrict__ spectra, const float* __restrict__ octant,
                const float2* __restrict__ roots, u32 side, u32 axes, u32 total, u32 lines) {
    u32 length = 2 * side, waves = side + 1;
    u32 first = blockIdx.x * lines;
    lines = lines < total - first ? lines : total - first;
    float2* from = pool;
    float2* spare = pool + lines * length;
    for (u32 work = threadIdx.x; work < lines * length; work += THREADS) {
        u32 at = work / lines, line = work % lines;
        from[line * length + at] = at < side ? spectra[(u64)at * total + first + line] : make_float2(0.0f, 0.0f);
    }
    float2* to = transform<false>(from, spare, length, lines, roots);
    spare = to == from ? spare : from;
    for (u32 work = threadIdx.x; work < lines * length; work += THREADS) {
        u32 line = work / length, wave = work % length;
        u32 y = (first + line) / waves, x = (first + line) % waves;
        u32 row = axes == 2 ? first + line : (y < length - y ? y : length - y) * waves + x;
        float factor = octant[(u64)row * waves + (wave < length - wave ? wave : length - wave)];
        to[work] = make_float2(to[work].x * factor, to[work].y * factor);
    }
    to = transform<true>(to, spare, length, lines, roots);
    for (u32 work = threadIdx.x; work < lines * side; work += THREADS) {
        u32 at = work / lines, line = work % lines;
        spectra[(u64)at * total + first + line] = to[line * length + at];
    }
}

// Back along x: two spectra of real rows are one line of complex numbers, whose parts are the rows.
extern "C" __global__ void __launch_bounds__(THREADS)
convolve_inverse_x(const float2* __restrict__ spectra, float* __restrict__ mesh,
                   const float2* __restrict__ roots, u32 side, u32 axes, u32 pairs, u32 lines) {
    u32 length = 2 * side, waves = side + 1;
    u32 first = blockIdx.x * lines;
    lines = lines < pairs - first ? lines : pairs - first;
    float2* from = pool;
    float2* spare = pool + lines * length;
    for (u32 work = threadIdx.x; work < lines * length; work += THREADS) {
        u32 line = work / length, x = work % length;
        u32 row = 2 * (first + line), wave = x < waves ? x : length - x;
        float2 a = spectra[(u64)spectrum_row(row, side, length, axes) * waves + wave];
        float2 b = spectra[(u64)spectrum_row(row + 1, side, length, axes) * waves + wave];
        if (wave == 0 || wave == side) {
            // Real but for rounding.
            a.y = 0.0f;
            b.y = 0.0f;
        }
        if (x >= waves) {
            a = conjugate(a);
            b = conjugate(b);
        }
        from[work] = make_float2(a.x - b.y, a.y + b.x);
    }
    from = transform<true>(from, spare, length, lines, roots);
    for (u32 work = threadIdx.x; work < lines * side; work += THREADS) {
        u32 line = work / side, x = work % side;
        float2 both = from[line * length + x];
        u32 row = 2 * (first + line);
        mesh[row * side + x] = both.x;
        mesh[(row + 1) * side + x] = both.y;
    }
}
