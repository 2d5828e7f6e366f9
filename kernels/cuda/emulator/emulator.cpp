// Do the kernels compute what they should? Runs their very sources on the processor, for tests.
//
// The threads of a block are fibers: each runs until it reaches a barrier, then the next one does, so
// `__syncthreads` means what it means on a device. Blocks run one after another. Threads and blocks can
// run in either order: what comes out must be the same bits, or a barrier is missing.
//
// What this cannot show: that warps of a device keep to the memory model where a barrier is missing and
// this order happens to be right, and how fast anything is.

#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

struct float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct Three { unsigned x; };

static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

static thread_local Three threadIdx, blockIdx, gridDim;

#define __global__
#define __device__
#define __launch_bounds__(...)
#define __shared__ static thread_local
#define DYNAMIC_SHARED(type, name) \
    alignas(16) static thread_local type name[49152 / sizeof(type)]
#define __syncthreads wait_for_block

static void wait_for_block();
template <class T> static inline T atomicAdd(T* where, T what) {
    T before = *where;
    *where += what;
    return before;
}
using std::isfinite;

#include "../layout.cu"

namespace {

constexpr size_t STACK = 64 * 1024;

// The fibers of one block.
struct Block {
    ucontext_t scheduler;
    ucontext_t fibers[THREADS];
    bool done[THREADS];
    std::vector<char> stacks = std::vector<char>(THREADS * STACK);
    unsigned running;
    void (*run)(void*);
    void* what;
};

thread_local Block* block = nullptr;

void begin() {
    block->run(block->what);
    block->done[block->running] = true;
}

// Runs all threads of a block to their ends.
void run_block(bool backwards) {
    for (unsigned thread = 0; thread < THREADS; ++thread) {
        ucontext_t& fiber = block->fibers[thread];
        getcontext(&fiber);
        fiber.uc_stack.ss_sp = block->stacks.data() + thread * STACK;
        fiber.uc_stack.ss_size = STACK;
        fiber.uc_link = &block->scheduler;
        makecontext(&fiber, begin, 0);
        block->done[thread] = false;
    }
    for (unsigned left = THREADS; left > 0;) {
        left = 0;
        for (unsigned turn = 0; turn < THREADS; ++turn) {
            unsigned thread = backwards ? THREADS - 1 - turn : turn;
            if (block->done[thread]) {
                continue;
            }
            block->running = thread;
            threadIdx.x = thread;
            swapcontext(&block->scheduler, &block->fibers[thread]);
            left += block->done[thread] ? 0 : 1;
        }
    }
}

template <class... Arguments> struct Call {
    void (*kernel)(Arguments...);
    void** arguments;
    template <size_t... At> void apply(std::index_sequence<At...>) {
        kernel(*static_cast<std::remove_reference_t<Arguments>*>(arguments[At])...);
    }
    static void run(void* call) {
        static_cast<Call*>(call)->apply(std::index_sequence_for<Arguments...>{});
    }
};

template <class... Arguments>
void launch(void (*kernel)(Arguments...), unsigned grid, bool backwards, void** arguments) {
    Call<Arguments...> call{kernel, arguments};
    block->run = Call<Arguments...>::run;
    block->what = &call;
    gridDim.x = grid;
    for (unsigned turn = 0; turn < grid; ++turn) {
        blockIdx.x = backwards ? grid - 1 - turn : turn;
        // What the last block left in shared memory is not zero on a device either.
        std::memset(pool, 0xff, sizeof(pool));
        run_block(backwards);
    }
}

} // namespace

static void wait_for_block() {
    swapcontext(&block->fibers[block->running], &block->scheduler);
}

// Runs one kernel; `arguments` are pointers to its arguments, as `cuLaunchKernel` takes them. Returns 0,
// or 1 where there is no such kernel.
extern "C" int emulate(const char* name, unsigned grid, int backwards, void** arguments) {
    static thread_local std::unique_ptr<Block> fibers = std::make_unique<Block>();
    block = fibers.get();
#define KERNEL(kernel)                                        \
    if (std::strcmp(name, #kernel) == 0) {                    \
        launch(kernel, grid, backwards != 0, arguments);      \
        return 0;                                             \
    }
#include "kernels.inc"
    return 1;
}
