// What does a driver do that weft asks of it? A stand-in for `libcuda`, for tests: memory is the host's,
// and kernels are run by `emulator.cpp` from their sources instead of from PTX.
//
// It has the functions that `kernels/src/cuda/driver.rs` declares, and is as strict as a driver can be: calls
// need a current context, copies and kernels must stay inside memory that was allocated (each piece lies
// between guards that are looked at after every kernel), the host's side of a copy must be pinned, and nothing
// may be left when a context goes. What is asked of a stream is done as late as a device may do it: when
// somebody waits.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "emulator.cpp"

namespace {

enum Result {
    OK = 0,
    INVALID = 1,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    NO_CONTEXT = 201,
    BAD_PTX = 218,
    NOT_FOUND = 500,
    LOST = 719,
};

constexpr size_t GUARD = 64;
constexpr unsigned char MARK = 0xA5;

struct Function { std::string name; };
struct Module { std::string ptx; std::map<std::string, Function> functions; };
struct Record { std::string name; unsigned grid; std::vector<std::vector<unsigned char>> arguments; };
struct Graph { std::vector<Record> records; };
struct Stream {
    bool capturing = false;
    Graph graph;
    // What was asked for and is not done yet.
    std::vector<std::function<int()>> queue;
};
struct Context { int users = 0; };

// One for the process, as a device is; tests run beside each other.
std::mutex mutex;
std::map<uintptr_t, size_t> memory;
// Pinned memory of the host.
std::map<uintptr_t, size_t> pinned;
Context context;

// What a test wants of the calls that its thread makes.
thread_local Context* current = nullptr;
thread_local int backwards = 0;
thread_local long launches_left = -1;
thread_local bool lost = false;
thread_local bool absent = false;
thread_local unsigned long launches = 0, replays = 0;
// What the thread's calls hold: bytes of memory, the most there were of them, and graphs.
thread_local long held = 0, most_held = 0, graphs = 0;

Result check() {
    if (lost) {
        return LOST;
    }
    return current ? OK : NO_CONTEXT;
}

// Whether `size` bytes from `address` lie in one piece of `pieces`.
bool inside(const std::map<uintptr_t, size_t>& pieces, uintptr_t address, size_t size) {
    auto after = pieces.upper_bound(address);
    if (after == pieces.begin()) {
        return false;
    }
    auto piece = std::prev(after);
    return address + size <= piece->first + piece->second;
}

void look_at_guards(const char* kernel) {
    for (auto [address, size] : memory) {
        const unsigned char* bytes = reinterpret_cast<const unsigned char*>(address);
        for (size_t at = 0; at < GUARD; ++at) {
            if (bytes[size + at] != MARK || *(bytes - 1 - at) != MARK) {
                std::fprintf(stderr, "%s wrote outside of memory of %zu bytes\n", kernel, size);
                std::abort();
            }
        }
    }
}

// Sizes of a kernel's arguments, from its declaration in the PTX: `.param .u64` or `.u32`.
std::vector<size_t> parameters(const std::string& ptx, const std::string& name) {
    std::vector<size_t> sizes;
    size_t at = ptx.find(".entry " + name + "(");
    if (at == std::string::npos) {
        return sizes;
    }
    size_t end = ptx.find(')', at);
    for (at = ptx.find(".param", at); at < end; at = ptx.find(".param", at + 1)) {
        sizes.push_back(ptx.compare(ptx.find('.', at + 1), 4, ".u64") == 0 ? 8 : 4);
    }
    return sizes;
}

// All modules are of one text.
std::string the_ptx;

Result play(const Record& record) {
    if (launches_left == 0) {
        lost = true;
        return LOST;
    }
    launches_left -= launches_left > 0;
    ++launches;
    std::vector<void*> arguments;
    for (auto& argument : record.arguments) {
        arguments.push_back(const_cast<unsigned char*>(argument.data()));
        uintptr_t address = 0;
        std::memcpy(&address, argument.data(), argument.size());
        if (argument.size() == 8 && !inside(memory, address, 1)) {
            return INVALID;
        }
    }
    if (emulate(record.name.c_str(), record.grid, backwards, arguments.data()) != 0) {
        return NOT_FOUND;
    }
    look_at_guards(record.name.c_str());
    return OK;
}

} // namespace

// For tests: the order of threads and blocks, and after how many kernels the device is lost (-1: never).
extern "C" void weft_emulate(int order, long until_lost) {
    backwards = order;
    launches_left = until_lost;
    lost = absent = false;
    launches = replays = 0;
    most_held = held;
}
// For tests: whether there is no device at all.
extern "C" void weft_emulate_absence(int is_absent) { absent = is_absent != 0; }
extern "C" unsigned long weft_emulated_launches() { return launches; }
extern "C" unsigned long weft_emulated_replays() { return replays; }
// What the thread's calls hold: bytes of the device's memory, the most since the start, and graphs.
extern "C" long weft_emulated_memory() { return held; }
extern "C" long weft_emulated_most_memory() { return most_held; }
extern "C" long weft_emulated_graphs() { return graphs; }

extern "C" {

int cuInit(unsigned) { return absent ? NO_DEVICE : OK; }
int cuDeviceGet(int* device, int ordinal) {
    *device = 0;
    return ordinal == 0 ? OK : INVALID_DEVICE;
}
int cuDeviceGetAttribute(int* value, int attribute, int) {
    // Compute capability 9.0.
    *value = attribute == 75 ? 9 : 0;
    return OK;
}
int cuGetErrorName(int error, const char** name) {
    *name = error == LOST ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR";
    return OK;
}
int cuGetErrorString(int error, const char** text) {
    *text = error == LOST ? "unspecified launch failure" : "emulated error";
    return OK;
}
int cuDevicePrimaryCtxRetain(void** out, int) {
    std::lock_guard<std::mutex> guard(mutex);
    ++context.users;
    *out = &context;
    return OK;
}
int cuDevicePrimaryCtxRelease_v2(int) {
    std::lock_guard<std::mutex> guard(mutex);
    --context.users;
    if (context.users == 0 && (!memory.empty() || !pinned.empty())) {
        std::fprintf(stderr, "%zu pieces of memory were left\n", memory.size() + pinned.size());
        std::abort();
    }
    return OK;
}
int cuCtxSetCurrent(void* which) {
    current = static_cast<Context*>(which);
    return OK;
}
int cuStreamCreate(void** stream, unsigned) {
    *stream = new Stream;
    return check();
}
int cuStreamDestroy_v2(void* stream) {
    delete static_cast<Stream*>(stream);
    return OK;
}
int cuStreamSynchronize(void* stream) {
    if (int error = check()) {
        return error;
    }
    Stream* waited = static_cast<Stream*>(stream);
    if (waited->capturing) {
        return INVALID;
    }
    std::lock_guard<std::mutex> guard(mutex);
    std::vector<std::function<int()>> queue;
    queue.swap(waited->queue);
    for (auto& work : queue) {
        if (int error = work()) {
            return error;
        }
    }
    return OK;
}
int cuStreamBeginCapture_v2(void* stream, int) {
    if (int error = check()) {
        return error;
    }
    Stream* captured = static_cast<Stream*>(stream);
    if (captured->capturing) {
        return INVALID;
    }
    captured->capturing = true;
    captured->graph.records.clear();
    return OK;
}
int cuStreamEndCapture(void* stream, void** graph) {
    Stream* captured = static_cast<Stream*>(stream);
    captured->capturing = false;
    if (int error = check()) {
        *graph = nullptr;
        return error;
    }
    *graph = new Graph(captured->graph);
    ++graphs;
    return OK;
}
int cuGraphInstantiateWithFlags(void** made, void* graph, unsigned long long) {
    if (int error = check()) {
        return error;
    }
    *made = new Graph(*static_cast<Graph*>(graph));
    ++graphs;
    return OK;
}
int cuGraphDestroy(void* graph) {
    delete static_cast<Graph*>(graph);
    --graphs;
    return OK;
}
int cuGraphExecDestroy(void* graph) { return cuGraphDestroy(graph); }
int cuGraphLaunch(void* graph, void* stream) {
    if (int error = check()) {
        return error;
    }
    ++replays;
    Graph copy = *static_cast<Graph*>(graph);
    static_cast<Stream*>(stream)->queue.push_back([copy] {
        for (auto& record : copy.records) {
            if (int error = play(record)) {
                return error;
            }
        }
        return static_cast<int>(OK);
    });
    return OK;
}
int cuMemAlloc_v2(uintptr_t* address, size_t size) {
    if (int error = check()) {
        return error;
    }
    std::lock_guard<std::mutex> guard(mutex);
    // Not zeros: a device's memory is not either.
    unsigned char* bytes = static_cast<unsigned char*>(std::aligned_alloc(GUARD, (size + 3 * GUARD - 1) / GUARD * GUARD));
    std::memset(bytes, MARK, size + 2 * GUARD);
    *address = reinterpret_cast<uintptr_t>(bytes + GUARD);
    memory[*address] = size;
    held += size;
    most_held = held > most_held ? held : most_held;
    return OK;
}
int cuMemFree_v2(uintptr_t address) {
    std::lock_guard<std::mutex> guard(mutex);
    auto piece = memory.find(address);
    if (piece == memory.end()) {
        return INVALID;
    }
    held -= piece->second;
    memory.erase(piece);
    std::free(reinterpret_cast<unsigned char*>(address) - GUARD);
    return OK;
}
int cuMemHostAlloc(void** address, size_t size, unsigned) {
    if (int error = check()) {
        return error;
    }
    std::lock_guard<std::mutex> guard(mutex);
    *address = std::malloc(size);
    pinned[reinterpret_cast<uintptr_t>(*address)] = size;
    return OK;
}
int cuMemFreeHost(void* address) {
    std::lock_guard<std::mutex> guard(mutex);
    if (pinned.erase(reinterpret_cast<uintptr_t>(address)) == 0) {
        return INVALID;
    }
    std::free(address);
    return OK;
}
// A copy between `device` and `host`, which must stay what they are until it is done.
static int copy(uintptr_t device, const void* host, size_t size, void* stream, void* to, const void* from) {
    if (int error = check()) {
        return error;
    }
    auto valid = [=] {
        return inside(memory, device, size) && inside(pinned, reinterpret_cast<uintptr_t>(host), size);
    };
    std::lock_guard<std::mutex> guard(mutex);
    if (!valid() || static_cast<Stream*>(stream)->capturing) {
        return INVALID;
    }
    static_cast<Stream*>(stream)->queue.push_back([=] {
        if (!valid()) {
            return static_cast<int>(INVALID);
        }
        std::memcpy(to, from, size);
        return static_cast<int>(OK);
    });
    return OK;
}
int cuMemcpyHtoDAsync_v2(uintptr_t to, const void* from, size_t size, void* stream) {
    return copy(to, from, size, stream, reinterpret_cast<void*>(to), from);
}
int cuMemcpyDtoHAsync_v2(void* to, uintptr_t from, size_t size, void* stream) {
    return copy(from, to, size, stream, to, reinterpret_cast<const void*>(from));
}
int cuModuleLoadData(void** module, const void* image) {
    std::string text = static_cast<const char*>(image);
    if (text.find(".version") == std::string::npos) {
        return BAD_PTX;
    }
    std::lock_guard<std::mutex> guard(mutex);
    the_ptx = text;
    *module = new Module{text, {}};
    return check();
}
int cuModuleUnload(void* module) {
    delete static_cast<Module*>(module);
    return OK;
}
int cuModuleGetFunction(void** function, void* module, const char* name) {
    Module* in = static_cast<Module*>(module);
    if (parameters(in->ptx, name).empty()) {
        return NOT_FOUND;
    }
    in->functions[name] = Function{name};
    *function = &in->functions[name];
    return check();
}
int cuLaunchKernel(void* function, unsigned grid, unsigned grid_y, unsigned grid_z, unsigned threads,
                   unsigned threads_y, unsigned threads_z, unsigned shared, void* stream, void** arguments, void**) {
    if (int error = check()) {
        return error;
    }
    if (grid == 0 || grid_y != 1 || grid_z != 1 || threads != THREADS || threads_y != 1 || threads_z != 1 ||
        shared > 49152) {
        return INVALID;
    }
    Record record{static_cast<Function*>(function)->name, grid, {}};
    std::lock_guard<std::mutex> guard(mutex);
    for (size_t size : parameters(the_ptx, record.name)) {
        auto bytes = static_cast<unsigned char*>(arguments[record.arguments.size()]);
        record.arguments.emplace_back(bytes, bytes + size);
    }
    if (static_cast<Stream*>(stream)->capturing) {
        static_cast<Stream*>(stream)->graph.records.push_back(record);
    } else {
        static_cast<Stream*>(stream)->queue.push_back([record] { return static_cast<int>(play(record)); });
    }
    return OK;
}

} // extern "C"
