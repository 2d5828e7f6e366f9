// What does a driver do that weft asks of it? A stand-in for `libcuda`, for tests: memory is the host's,
// and kernels are run by `emulator.cpp` from their sources instead of from PTX.
//
// It has the functions that `kernels/src/cuda/driver.rs` declares, and is as strict as a driver can be: calls
// need a current context, copies and kernels must stay inside memory that was allocated (each piece lies
// between guards that are looked at after every kernel), the host's side of a copy must be pinned, and nothing
// may be left when a context goes. There can be several devices: memory, streams, kernels and events are each
// one device's, and what is another's is an error. What is asked of a stream is done as late as a device may do
// it: when somebody waits, and of other streams only what that needs.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "emulator.cpp"

namespace {

enum Result {
    OK = 0,
    INVALID = 1,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    NO_CONTEXT = 201,
    NO_PEER = 217,
    BAD_PTX = 218,
    NOT_FOUND = 500,
    ENABLED_BEFORE = 704,
    TOO_MANY_PEERS = 711,
    LOST = 719,
};

constexpr int MOST_DEVICES = 16;
// Ways from a device to others, as where no switch joins them.
constexpr unsigned long MOST_PEERS = 8;
constexpr size_t GUARD = 64;
constexpr unsigned char MARK = 0xA5;

// What a device has in this process. Pieces of memory by address, with their sizes.
struct Context {
    int users = 0;
    std::map<uintptr_t, size_t> memory;
    // Of the host.
    std::map<uintptr_t, size_t> pinned;
    // Whose memory it may reach by itself.
    std::set<Context*> peers;
};
struct Function { std::string name; Context* context; };
struct Module { std::string ptx; std::map<std::string, Function> functions; Context* context; };
struct Record { std::string name; unsigned grid; std::vector<std::vector<unsigned char>> arguments; };
struct Graph { std::vector<Record> records; Context* context; };
struct Stream {
    Context* context;
    bool capturing = false;
    Graph graph;
    // What was asked for and is not done yet.
    std::deque<std::function<int()>> queue;
    // Somebody works it off, who may wait for another one meanwhile.
    bool running = false;
};
struct Event {
    Context* context;
    // Where it was recorded last, how often it was, and how many of these the stream has come past.
    Stream* stream = nullptr;
    unsigned long recorded = 0, reached = 0;
};

// Those of the process, as devices are; tests run beside each other.
std::mutex mutex;
Context contexts[MOST_DEVICES];

// What a test wants of the calls that its thread makes.
thread_local Context* current = nullptr;
thread_local int backwards = 0;
thread_local long launches_left = -1;
// Which devices are lost, by number, and which one will be.
thread_local unsigned lost = 0;
thread_local int losing = 0;
thread_local bool absent = false;
thread_local int devices = 1;
thread_local bool linked = true;
// The first half of each device's compute capability, where it is not 9.
thread_local int generations[MOST_DEVICES];
thread_local unsigned long launches = 0, replays = 0;
// Kernels by device, and bytes that went from one to another.
thread_local unsigned long launched_on[MOST_DEVICES];
thread_local unsigned long exchanged = 0;
// What the thread's calls hold: bytes of memory, the most there were of them, and graphs.
thread_local long held = 0, most_held = 0, graphs = 0;

int number_of(const Context* context) { return static_cast<int>(context - contexts); }
bool is_lost(const Context* context) { return lost >> number_of(context) & 1; }

Result check() {
    if (!current) {
        return NO_CONTEXT;
    }
    return is_lost(current) ? LOST : OK;
}
// The same, of a call that names something of a context: it must be the current one.
Result check(const Context* named) {
    if (Result error = check()) {
        return error;
    }
    return named == current ? OK : INVALID;
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
    for (auto& context : contexts) {
        for (auto [address, size] : context.memory) {
            const unsigned char* bytes = reinterpret_cast<const unsigned char*>(address);
            for (size_t at = 0; at < GUARD; ++at) {
                if (bytes[size + at] != MARK || *(bytes - 1 - at) != MARK) {
                    std::fprintf(stderr, "%s wrote outside of memory of %zu bytes\n", kernel, size);
                    std::abort();
                }
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

// Runs one kernel on a device, whose memory all that it is given must be.
Result play(const Record& record, Context* context) {
    if (is_lost(context)) {
        return LOST;
    }
    if (number_of(context) == losing && launches_left >= 0) {
        if (launches_left == 0) {
            lost |= 1u << losing;
            return LOST;
        }
        --launches_left;
    }
    ++launches;
    ++launched_on[number_of(context)];
    std::vector<void*> arguments;
    for (auto& argument : record.arguments) {
        arguments.push_back(const_cast<unsigned char*>(argument.data()));
        uintptr_t address = 0;
        std::memcpy(&address, argument.data(), argument.size());
        if (argument.size() == 8 && !inside(context->memory, address, 1)) {
            return INVALID;
        }
    }
    if (emulate(record.name.c_str(), record.grid, backwards, arguments.data()) != 0) {
        return NOT_FOUND;
    }
    look_at_guards(record.name.c_str());
    return OK;
}

// Works a stream off, until an event was reached if there is one. A failure leaves nothing to do in it.
int work_off(Stream* stream, const Event* event = nullptr, unsigned long count = 0) {
    if (stream->running) {
        // Two streams that wait for each other would do so for ever.
        return INVALID;
    }
    stream->running = true;
    int error = OK;
    while (!error && !stream->queue.empty() && !(event && event->reached >= count)) {
        auto work = std::move(stream->queue.front());
        stream->queue.pop_front();
        error = work();
    }
    if (error) {
        stream->queue.clear();
    }
    stream->running = false;
    // Its record went with a failure.
    return !error && event && event->reached < count ? static_cast<int>(LOST) : error;
}

} // namespace

// For tests: the order of threads and blocks, and after how many kernels the device is lost (-1: never).
extern "C" void weft_emulate(int order, long until_lost) {
    backwards = order;
    launches_left = until_lost;
    absent = false;
    lost = losing = 0;
    devices = 1;
    linked = true;
    launches = replays = exchanged = 0;
    std::memset(launched_on, 0, sizeof(launched_on));
    std::memset(generations, 0, sizeof(generations));
    most_held = held;
}
// For tests: how many devices there are, and whether they reach each other's memory.
extern "C" void weft_emulate_devices(int count, int is_linked) {
    devices = count;
    linked = is_linked != 0;
}
// For tests: device `device` is of compute capability `major`.0.
extern "C" void weft_emulate_generation(int device, int major) { generations[device] = major; }
// For tests: which device is lost, after how many more of its kernels.
extern "C" void weft_emulate_loss(int device, long until_lost) {
    losing = device;
    launches_left = until_lost;
}
// For tests: whether there is no device at all.
extern "C" void weft_emulate_absence(int is_absent) { absent = is_absent != 0; }
extern "C" unsigned long weft_emulated_launches() { return launches; }
extern "C" unsigned long weft_emulated_launches_on(int device) { return launched_on[device]; }
extern "C" unsigned long weft_emulated_replays() { return replays; }
extern "C" unsigned long weft_emulated_exchange() { return exchanged; }
// What the thread's calls hold: bytes of the devices' memory, the most since the start, and graphs.
extern "C" long weft_emulated_memory() { return held; }
extern "C" long weft_emulated_most_memory() { return most_held; }
extern "C" long weft_emulated_graphs() { return graphs; }

extern "C" {

int cuInit(unsigned) { return absent ? NO_DEVICE : OK; }
int cuDeviceGetCount(int* count) {
    *count = absent ? 0 : devices;
    return OK;
}
int cuDeviceGet(int* device, int ordinal) {
    *device = ordinal;
    return ordinal >= 0 && ordinal < devices && ordinal < MOST_DEVICES ? OK : INVALID_DEVICE;
}
int cuDeviceGetAttribute(int* value, int attribute, int device) {
    // Compute capability, its first half and its second.
    *value = attribute == 75 ? (generations[device] != 0 ? generations[device] : 9) : 0;
    return OK;
}
int cuDeviceCanAccessPeer(int* can, int device, int peer) {
    if (device == peer) {
        return INVALID_DEVICE;
    }
    *can = linked ? 1 : 0;
    return OK;
}
int cuCtxEnablePeerAccess(void* peer, unsigned flags) {
    if (int error = check()) {
        return error;
    }
    if (peer == current || flags != 0) {
        return INVALID;
    }
    if (!linked) {
        return NO_PEER;
    }
    std::lock_guard<std::mutex> guard(mutex);
    if (current->peers.count(static_cast<Context*>(peer)) != 0) {
        return ENABLED_BEFORE;
    }
    if (current->peers.size() == MOST_PEERS) {
        return TOO_MANY_PEERS;
    }
    current->peers.insert(static_cast<Context*>(peer));
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
int cuDevicePrimaryCtxRetain(void** out, int device) {
    if (lost >> device & 1) {
        return LOST;
    }
    std::lock_guard<std::mutex> guard(mutex);
    ++contexts[device].users;
    *out = &contexts[device];
    return OK;
}
int cuDevicePrimaryCtxRelease_v2(int device) {
    std::lock_guard<std::mutex> guard(mutex);
    Context& context = contexts[device];
    --context.users;
    if (context.users == 0) {
        if (!context.memory.empty() || !context.pinned.empty()) {
            std::fprintf(stderr, "%zu pieces of memory were left\n", context.memory.size() + context.pinned.size());
            std::abort();
        }
        context.peers.clear();
    }
    return OK;
}
int cuCtxSetCurrent(void* which) {
    current = static_cast<Context*>(which);
    return OK;
}
int cuStreamCreate(void** stream, unsigned) {
    *stream = new Stream{current, false, {}, {}, false};
    return check();
}
int cuStreamDestroy_v2(void* stream) {
    delete static_cast<Stream*>(stream);
    return OK;
}
int cuStreamSynchronize(void* stream) {
    Stream* waited = static_cast<Stream*>(stream);
    if (int error = check(waited->context)) {
        return error;
    }
    if (waited->capturing) {
        return INVALID;
    }
    std::lock_guard<std::mutex> guard(mutex);
    return work_off(waited);
}
int cuEventCreate(void** event, unsigned) {
    *event = new Event{current, nullptr, 0, 0};
    return check();
}
int cuEventDestroy_v2(void* event) {
    delete static_cast<Event*>(event);
    return OK;
}
int cuEventRecord(void* recorded, void* in) {
    Event* event = static_cast<Event*>(recorded);
    Stream* stream = static_cast<Stream*>(in);
    if (int error = check(event->context)) {
        return error;
    }
    if (stream->context != current || stream->capturing) {
        return INVALID;
    }
    unsigned long count = ++event->recorded;
    event->stream = stream;
    stream->queue.push_back([event, count] {
        event->reached = count;
        return static_cast<int>(OK);
    });
    return OK;
}
// The event may be another device's.
int cuStreamWaitEvent(void* waiting, void* waited, unsigned) {
    Stream* stream = static_cast<Stream*>(waiting);
    Event* event = static_cast<Event*>(waited);
    if (int error = check(stream->context)) {
        return error;
    }
    if (stream->capturing) {
        return INVALID;
    }
    unsigned long count = event->recorded;
    stream->queue.push_back([event, count] {
        return event->reached >= count ? static_cast<int>(OK) : work_off(event->stream, event, count);
    });
    return OK;
}
int cuStreamBeginCapture_v2(void* stream, int) {
    Stream* captured = static_cast<Stream*>(stream);
    if (int error = check(captured->context)) {
        return error;
    }
    if (captured->capturing) {
        return INVALID;
    }
    captured->capturing = true;
    captured->graph = Graph{{}, captured->context};
    return OK;
}
int cuStreamEndCapture(void* stream, void** graph) {
    Stream* captured = static_cast<Stream*>(stream);
    captured->capturing = false;
    if (int error = check(captured->context)) {
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
int cuGraphLaunch(void* graph, void* in) {
    Stream* stream = static_cast<Stream*>(in);
    Graph copy = *static_cast<Graph*>(graph);
    if (int error = check(stream->context)) {
        return error;
    }
    if (copy.context != current) {
        return INVALID;
    }
    ++replays;
    stream->queue.push_back([copy] {
        for (auto& record : copy.records) {
            if (int error = play(record, copy.context)) {
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
    current->memory[*address] = size;
    held += size;
    most_held = held > most_held ? held : most_held;
    return OK;
}
int cuMemFree_v2(uintptr_t address) {
    if (!current) {
        return NO_CONTEXT;
    }
    std::lock_guard<std::mutex> guard(mutex);
    auto piece = current->memory.find(address);
    if (piece == current->memory.end()) {
        return INVALID;
    }
    held -= piece->second;
    current->memory.erase(piece);
    std::free(reinterpret_cast<unsigned char*>(address) - GUARD);
    return OK;
}
int cuMemHostAlloc(void** address, size_t size, unsigned) {
    if (int error = check()) {
        return error;
    }
    std::lock_guard<std::mutex> guard(mutex);
    *address = std::malloc(size);
    current->pinned[reinterpret_cast<uintptr_t>(*address)] = size;
    return OK;
}
int cuMemFreeHost(void* address) {
    if (!current) {
        return NO_CONTEXT;
    }
    std::lock_guard<std::mutex> guard(mutex);
    if (current->pinned.erase(reinterpret_cast<uintptr_t>(address)) == 0) {
        return INVALID;
    }
    std::free(address);
    return OK;
}
// A copy between `device` and `host`, which must stay what they are until it is done.
static int copy(uintptr_t device, const void* host, size_t size, void* in, void* to, const void* from) {
    Stream* stream = static_cast<Stream*>(in);
    Context* context = stream->context;
    if (int error = check(context)) {
        return error;
    }
    auto valid = [=] {
        return inside(context->memory, device, size) &&
               inside(context->pinned, reinterpret_cast<uintptr_t>(host), size);
    };
    std::lock_guard<std::mutex> guard(mutex);
    if (!valid() || stream->capturing) {
        return INVALID;
    }
    stream->queue.push_back([=] {
        if (is_lost(context)) {
            return static_cast<int>(LOST);
        }
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
int cuMemcpyPeerAsync(uintptr_t to, void* to_context, uintptr_t from, void* from_context, size_t size, void* in) {
    Stream* stream = static_cast<Stream*>(in);
    Context *there = static_cast<Context*>(to_context), *here = static_cast<Context*>(from_context);
    if (int error = check(stream->context)) {
        return error;
    }
    auto valid = [=] { return inside(there->memory, to, size) && inside(here->memory, from, size); };
    std::lock_guard<std::mutex> guard(mutex);
    if (!valid() || size == 0 || stream->capturing) {
        return INVALID;
    }
    stream->queue.push_back([=] {
        if (is_lost(there) || is_lost(here)) {
            return static_cast<int>(LOST);
        }
        if (!valid()) {
            return static_cast<int>(INVALID);
        }
        std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), size);
        exchanged += size;
        return static_cast<int>(OK);
    });
    return OK;
}
int cuModuleLoadData(void** module, const void* image) {
    std::string text = static_cast<const char*>(image);
    if (text.find(".version") == std::string::npos) {
        return BAD_PTX;
    }
    std::lock_guard<std::mutex> guard(mutex);
    the_ptx = text;
    *module = new Module{text, {}, current};
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
    in->functions[name] = Function{name, in->context};
    *function = &in->functions[name];
    return check(in->context);
}
int cuLaunchKernel(void* what, unsigned grid, unsigned grid_y, unsigned grid_z, unsigned threads,
                   unsigned threads_y, unsigned threads_z, unsigned shared, void* in, void** arguments, void**) {
    Function* function = static_cast<Function*>(what);
    Stream* stream = static_cast<Stream*>(in);
    if (int error = check(stream->context)) {
        return error;
    }
    if (function->context != current || grid == 0 || grid_y != 1 || grid_z != 1 || threads != THREADS ||
        threads_y != 1 || threads_z != 1 || shared > 49152) {
        return INVALID;
    }
    Record record{function->name, grid, {}};
    std::lock_guard<std::mutex> guard(mutex);
    for (size_t size : parameters(the_ptx, record.name)) {
        auto bytes = static_cast<unsigned char*>(arguments[record.arguments.size()]);
        record.arguments.emplace_back(bytes, bytes + size);
    }
    if (stream->capturing) {
        stream->graph.records.push_back(record);
    } else {
        Context* context = stream->context;
        stream->queue.push_back([record, context] { return static_cast<int>(play(record, context)); });
    }
    return OK;
}

} // extern "C"
