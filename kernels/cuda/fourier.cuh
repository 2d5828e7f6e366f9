// How is a line of complex numbers transformed? By Stockham's method in shared memory: radix 4, then
// 2, then 3, from one buffer to another and back, so that nothing has to be reordered at the end
// (Cochran and others, What is the fast Fourier transform?, 1967). cuFFT comes with toolkits, and a
// host that runs this may have a driver only.
#pragma once

__device__ inline float2 add(float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); }
__device__ inline float2 subtract(float2 a, float2 b) { return make_float2(a.x - b.x, a.y - b.y); }
__device__ inline float2 times(float2 a, float2 b) {
    return make_float2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}
__device__ inline float2 conjugate(float2 a) { return make_float2(a.x, -a.y); }
// Times -i on the way there, times i on the way back.
template <bool BACK> __device__ inline float2 quarter(float2 a) {
    return BACK ? make_float2(-a.y, a.x) : make_float2(a.y, -a.x);
}

// A transform of length R.
template <bool BACK, int R> __device__ inline void butterfly(float2* v) {
    if (R == 2) {
        float2 a = v[0];
        v[0] = add(a, v[1]);
        v[1] = subtract(a, v[1]);
    } else if (R == 3) {
        float2 sum = add(v[1], v[2]);
        float2 turned = quarter<BACK>(subtract(v[1], v[2]));
        float2 middle = make_float2(v[0].x - 0.5f * sum.x, v[0].y - 0.5f * sum.y);
        float2 off = make_float2(0.8660254037844386f * turned.x, 0.8660254037844386f * turned.y);
        v[0] = add(v[0], sum);
        v[1] = add(middle, off);
        v[2] = subtract(middle, off);
    } else {
        float2 a = add(v[0], v[2]), b = subtract(v[0], v[2]);
        float2 c = add(v[1], v[3]), d = quarter<BACK>(subtract(v[1], v[3]));
        v[0] = add(a, c);
        v[1] = add(b, d);
        v[2] = subtract(a, c);
        v[3] = subtract(b, d);
    }
}

// One pass over all lines: what is left of each is `left` numbers long, `stride` of them interleaved.
template <bool BACK, int R>
__device__ inline void stage(const float2* from, float2* to, u32 length, u32 lines, u32 left, u32 stride,
                             const float2* __restrict__ roots) {
    u32 each = length / R, parts = left / R;
    for (u32 work = threadIdx.x; work < lines * each; work += THREADS) {
        u32 line = work / each, at = work % each;
        u32 part = at / stride, inner = at % stride;
        const float2* in = from + line * length + inner + stride * part;
        float2* out = to + line * length + inner + stride * R * part;
        float2 v[R];
        for (int k = 0; k < R; ++k) {
            v[k] = in[stride * parts * k];
        }
        butterfly<BACK, R>(v);
        out[0] = v[0];
        for (int k = 1; k < R; ++k) {
            float2 root = roots[part * k * stride];
            out[stride * k] = times(v[k], BACK ? conjugate(root) : root);
        }
    }
    __syncthreads();
}

// Transforms `lines` lines that lie one after another in `from`; `spare` is as large. Returns where the
// result is: one of the two. Not scaled. `roots` are exp(-2 pi i k / length). All threads must call it,
// with what they wrote to `from` still unsynchronised.
template <bool BACK>
__device__ inline float2* transform(float2* from, float2* spare, u32 length, u32 lines,
                                    const float2* __restrict__ roots) {
    __syncthreads();
    u32 left = length, stride = 1;
    while (left > 1) {
        u32 radix = left % 4 == 0 ? 4 : left % 2 == 0 ? 2 : 3;
        if (radix == 4) {
            stage<BACK, 4>(from, spare, length, lines, left, stride, roots);
        } else if (radix == 2) {
            stage<BACK, 2>(from, spare, length, lines, left, stride, roots);
        } else {
            stage<BACK, 3>(from, spare, length, lines, left, stride, roots);
        }
        float2* swapped = from;
        from = spare;
        spare = swapped;
        left /= radix;
        stride *= radix;
    }
    return from;
}
