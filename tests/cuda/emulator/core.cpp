// A GPU for tests: blocks one after another, the threads of a block as fibres of one thread of the machine.
//
// A fibre runs until it waits, at a barrier or for its warp, and the next one is let in; so a block of any kernel runs in
// a known order, which the caller chooses. Reported, as the message of emulator_error():
// * barriers that not all threads reach, or reach at different lines, and threads that wait for ever;
// * with code compiled by -fsanitize=thread (`__tsan_*` below are called for every access): races on shared and on
//   global memory, reads of what nobody wrote, accesses outside the arrays, misaligned ones;
// * with -fsanitize=bounds and so on (`__ubsan_*`): indices outside arrays, overflow, shifts, division by zero;
// * without them, accesses that hit a page without permission.
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <link.h>
#include <sys/mman.h>
#if !defined(__x86_64__) || defined(EMULATOR_UCONTEXT)
#include <ucontext.h>
#endif

struct Index {
    unsigned x, y, z;
};

// An array that the kernel may touch. `known` has a byte per byte, 1 where something has been written, or is null.
struct Array {
    unsigned char* begin;
    int64_t bytes;
    unsigned char* known;
    int writeable;
};

struct Order {
    int kind;  // 0 forward, 1 backward, 2 random
    uint64_t seed;
};

extern "C" {
Index threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim{1, 1, 1}, gridDim{1, 1, 1};
int emulator_launch(void (*call)(void**), unsigned char* (*dynamic_shared)(), void** arguments, int64_t blocks,
                    int threads, int64_t shared, const Array* arrays, int array_count, Order order);
const char* emulator_error();
void* emulator_error_address();
}

namespace {

constexpr size_t PAGE = 4096, STACK = 16 * PAGE, SLOT = STACK + PAGE;
constexpr int THREADS = 1024, WARP = 32;
enum State { READY, AT_BARRIER, IN_WARP, FINISHED };

struct Fibre {
#if defined(__x86_64__) && !defined(EMULATOR_UCONTEXT)
    void* stack_pointer;
#else
    ucontext_t context;
#endif
    State state;
    const char* file;
    int line;
    unsigned mask;
    int turn;
    bool orders;  // whether the rendezvous of the warp also orders memory
};

// Who touched a byte last, and between which barriers.
struct Touch {
    uint32_t interval = 0, thread = 0, warp_interval = 0;
};
struct Shadow {
    Touch write, read;
    bool several = false;  // readers
    bool atomic = false;   // the last write
};

Fibre fibres[THREADS];
unsigned char lanes[THREADS / WARP][2][WARP * 8];
uint32_t warp_intervals[THREADS / WARP];
unsigned char* stacks = nullptr;
#if defined(__x86_64__) && !defined(EMULATOR_UCONTEXT)
void* scheduler;
#else
ucontext_t scheduler;
#endif

void (*kernel)(void**);
void** kernel_arguments;
const Array* arrays;
int array_count, thread_count, current = -1;
unsigned char *shared_begin, *dynamic_begin;
int64_t shared_bytes, dynamic_bytes;
uint32_t interval, first_interval;
std::vector<Shadow> shared_shadow;
std::vector<std::vector<Shadow>> array_shadow;
bool running = false, failed = false;
char message[600];
void* message_address;
sigjmp_buf escape;

#if defined(__x86_64__) && !defined(EMULATOR_UCONTEXT)
extern "C" void emulator_switch(void** save, void* load);
asm(R"(
.text
.globl emulator_switch
.type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch, .-emulator_switch
)");
void to_scheduler() { emulator_switch(&fibres[current].stack_pointer, scheduler); }
void to_fibre() { emulator_switch(&scheduler, fibres[current].stack_pointer); }
#else
void to_scheduler() { swapcontext(&fibres[current].context, &scheduler); }
void to_fibre() { swapcontext(&scheduler, &fibres[current].context); }
#endif

void fibre_main() {
    kernel(kernel_arguments);
    fibres[current].state = FINISHED;
    to_scheduler();
    abort();
}

unsigned char* stack_of(int thread) { return stacks + SLOT * thread + PAGE; }

void make_fibre(int thread) {
    Fibre& fibre = fibres[thread];
    fibre.state = READY;
    fibre.turn = 0;
#if defined(__x86_64__) && !defined(EMULATOR_UCONTEXT)
    void** top = (void**)(stack_of(thread) + STACK);
    top[-1] = nullptr;
    top[-2] = (void*)fibre_main;
    for (int saved = 3; saved <= 8; ++saved) top[-saved] = nullptr;
    fibre.stack_pointer = top - 8;
#else
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = stack_of(thread);
    fibre.context.uc_stack.ss_size = STACK;
    fibre.context.uc_link = nullptr;
    makecontext(&fibre.context, fibre_main, 0);
#endif
}

void fail(void* address, const char* format, ...) {
    if (failed) return;
    failed = true;
    message_address = address;
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    size_t used = strlen(message);
    if (current >= 0)
        snprintf(message + used, sizeof message - used, " [block %u, thread %d]", blockIdx.x, current);
}

// Leaves the kernel for good, if a fibre has failed.
void leave_if_failed() {
    if (failed && current >= 0) to_scheduler();
}

void wait(State state, const char* file, int line) {
    fibres[current].state = state;
    fibres[current].file = file;
    fibres[current].line = line;
    to_scheduler();
}

// Threads whose warp is all there go on. Whether any did.
bool release_warps() {
    bool any = false;
    for (int first = 0; first < thread_count; first += WARP) {
        for (int thread = first; thread < first + WARP && thread < thread_count; ++thread) {
            if (fibres[thread].state != IN_WARP) continue;
            Fibre& fibre = fibres[thread];
            bool complete = true;
            for (int lane = 0; lane < WARP; ++lane) {
                if (!(fibre.mask >> lane & 1)) continue;
                if (first + lane >= thread_count) continue;
                Fibre& other = fibres[first + lane];
                complete &= other.state == IN_WARP && other.mask == fibre.mask && other.line == fibre.line;
            }
            if (!complete) continue;
            if (fibre.orders) ++warp_intervals[first / WARP];
            unsigned mask = fibre.mask;
            for (int lane = 0; lane < WARP && first + lane < thread_count; ++lane)
                if (mask >> lane & 1) fibres[first + lane].state = READY;
            any = true;
        }
    }
    return any;
}

// All threads wait at one barrier and go on, or all have finished (false), or the block is wrong.
bool release_barrier() {
    int counts[4] = {0, 0, 0, 0}, at = -1, done = -1, in_warp = -1;
    for (int thread = 0; thread < thread_count; ++thread) {
        ++counts[fibres[thread].state];
        if (fibres[thread].state == AT_BARRIER) {
            if (at >= 0 && (fibres[at].line != fibres[thread].line || strcmp(fibres[at].file, fibres[thread].file))) {
                fail(nullptr, "threads wait at different barriers: thread %d at %s:%d, thread %d at %s:%d", at,
                     fibres[at].file, fibres[at].line, thread, fibres[thread].file, fibres[thread].line);
                return false;
            }
            at = thread;
        }
        if (fibres[thread].state == FINISHED) done = thread;
        if (fibres[thread].state == IN_WARP) in_warp = thread;
    }
    if (counts[FINISHED] == thread_count) return false;
    if (in_warp >= 0) {
        fail(nullptr, "deadlock: thread %d waits for its warp at %s:%d, where not all threads of its mask come", in_warp,
             fibres[in_warp].file, fibres[in_warp].line);
        return false;
    }
    if (done >= 0) {
        fail(nullptr, "thread %d has left the kernel, while thread %d waits at the barrier %s:%d", done, at,
             fibres[at].file, fibres[at].line);
        return false;
    }
    for (int thread = 0; thread < thread_count; ++thread) fibres[thread].state = READY;
    ++interval;
    return true;
}

uint64_t random_number(uint64_t& state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void run_block(Order& order) {
    int turns[THREADS];
    memset(shared_begin, 0xff, shared_bytes);
    memset(warp_intervals, 0, sizeof warp_intervals);
    first_interval = ++interval;
    for (int thread = 0; thread < thread_count; ++thread) {
        make_fibre(thread);
        turns[thread] = order.kind == 1 ? thread_count - 1 - thread : thread;
    }
    do {
        do {
            if (order.kind == 2)
                for (int last = thread_count - 1; last > 0; --last) {
                    int other = (int)(random_number(order.seed) % (last + 1)), kept = turns[last];
                    turns[last] = turns[other];
                    turns[other] = kept;
                }
            for (int turn = 0; turn < thread_count; ++turn) {
                current = turns[turn];
                if (fibres[current].state != READY) continue;
                threadIdx.x = current;
                to_fibre();
                if (failed) return;
            }
            current = -1;
        } while (release_warps());
    } while (release_barrier());
}

// Where the shared memory of the kernel lies: the thread-local block of the library that holds `call`.
struct Found {
    uintptr_t inside;
    unsigned char* begin;
    int64_t bytes;
};

int find_shared(dl_phdr_info* library, size_t, void* data) {
    Found& found = *(Found*)data;
    bool own = false;
    for (int header = 0; header < library->dlpi_phnum; ++header) {
        const ElfW(Phdr)& part = library->dlpi_phdr[header];
        if (part.p_type == PT_LOAD && found.inside - (library->dlpi_addr + part.p_vaddr) < part.p_memsz) own = true;
    }
    if (!own) return 0;
    for (int header = 0; header < library->dlpi_phnum; ++header)
        if (library->dlpi_phdr[header].p_type == PT_TLS) {
            found.begin = (unsigned char*)library->dlpi_tls_data;
            found.bytes = library->dlpi_phdr[header].p_memsz;
        }
    return 1;
}

void on_fault(int, siginfo_t* information, void*) {
    unsigned char* address = (unsigned char*)information->si_addr;
    if (address - stacks >= 0 && (size_t)(address - stacks) < SLOT * THREADS) fail(nullptr, "a thread's stack overflows");
    else fail(nullptr, "access outside all arrays");
    siglongjmp(escape, 1);
}

void prepare_stacks() {
    if (stacks) return;
    void* mapped = mmap(nullptr, SLOT * THREADS, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) abort();
    stacks = (unsigned char*)mapped;
    for (int thread = 0; thread < THREADS; ++thread) mprotect(stacks + SLOT * thread, PAGE, PROT_NONE);
}

bool ordered(const Touch& before, int thread) {
    if (before.interval != interval) return true;
    if ((int)before.thread == thread) return true;
    return (int)before.thread / WARP == thread / WARP && before.warp_interval < warp_intervals[thread / WARP];
}

Touch touch_now() { return {interval, (uint32_t)current, warp_intervals[current / WARP]}; }

void note_read(Shadow& shadow) {
    if (shadow.read.interval == interval && (int)shadow.read.thread != current) shadow.several = true;
    else if (shadow.read.interval != interval) shadow.several = false;
    shadow.read = touch_now();
}

void shared_access(unsigned char* address, int64_t bytes, bool write, bool atomic, void* from) {
    if (address + bytes > dynamic_begin + dynamic_bytes && address < dynamic_begin + 48 * 1024 && address + bytes > dynamic_begin)
        return fail(from, "access to byte %td of dynamic shared memory, of which the launch asked for %lld bytes",
                    address - dynamic_begin, (long long)dynamic_bytes);
    for (int64_t byte = 0; byte < bytes; ++byte) {
        Shadow& shadow = shared_shadow[address - shared_begin + byte];
        if (!(atomic && shadow.atomic) && !ordered(shadow.write, current))
            return fail(from, "race on shared memory: %s by thread %d what thread %u wrote, with no barrier between",
                        write ? "overwritten" : "read", current, shadow.write.thread);
        if (!write && shadow.write.interval < first_interval)
            return fail(from, "read of shared memory that nobody has written");
        if (write) {
            bool other = shadow.read.interval == interval && (shadow.several || !ordered(shadow.read, current));
            if (other && !(atomic && shadow.atomic))
                return fail(from, "race on shared memory: written by thread %d while thread %u reads it", current,
                            shadow.read.thread);
            shadow.write = touch_now();
            shadow.atomic = atomic;
        } else {
            note_read(shadow);
        }
    }
}

// Between blocks nothing is ordered; within one, as for shared memory.
bool ordered_globally(const Touch& before) {
    if (before.interval == 0) return true;
    return before.interval >= first_interval && ordered(before, current);
}

void array_access(const Array& array, std::vector<Shadow>& shadows, unsigned char* address, int64_t bytes, bool write,
                  bool atomic, void* from) {
    if (write && !array.writeable) return fail(from, "write to an array that the kernel takes as const");
    for (int64_t byte = address - array.begin, end = byte + bytes; byte < end; ++byte) {
        if (!write && array.known && !array.known[byte])
            return fail(from, "read of byte %lld of an array, which nobody has written", (long long)byte);
        if (!array.writeable) continue;
        Shadow& shadow = shadows[byte];
        bool both_atomic = atomic && shadow.atomic;
        if (!both_atomic && !ordered_globally(shadow.write))
            return fail(from, "race on global memory: byte %lld is written by one thread and %s by another",
                        (long long)byte, write ? "written" : "read");
        if (write) {
            bool other = shadow.read.interval != 0 && (shadow.read.interval < first_interval ||
                                                       (shadow.read.interval == interval &&
                                                        (shadow.several || !ordered(shadow.read, current))));
            if (other && !both_atomic)
                return fail(from, "race on global memory: byte %lld is read by one thread and written by another",
                            (long long)byte);
            shadow.write = touch_now();
            shadow.atomic = atomic;
            if (array.known) array.known[byte] = 1;
        } else {
            note_read(shadow);
        }
    }
}

int is_image(dl_phdr_info* library, size_t, void* data) {
    for (int header = 0; header < library->dlpi_phnum; ++header) {
        const ElfW(Phdr)& part = library->dlpi_phdr[header];
        if (part.p_type == PT_LOAD && (uintptr_t)data - (library->dlpi_addr + part.p_vaddr) < part.p_memsz) return 1;
    }
    return 0;
}

void access(void* pointer, int64_t bytes, bool write, void* from, bool atomic = false) {
    if (!running || current < 0 || failed) return;
    unsigned char* address = (unsigned char*)pointer;
    if ((size_t)(address - stacks) < SLOT * THREADS) return;
    int64_t alignment = bytes & -bytes;
    if ((size_t)(address - shared_begin) < (size_t)shared_bytes) {
        shared_access(address, bytes, write, atomic, from);
    } else {
        int found = -1;
        for (int array = 0; array < array_count; ++array) {
            if (address < arrays[array].begin || address + bytes > arrays[array].begin + arrays[array].bytes) continue;
            // The same memory may come twice, to be read and to be written.
            if (found < 0 || arrays[array].writeable) found = array;
        }
        if (found >= 0) array_access(arrays[found], array_shadow[found], address, bytes, write, atomic, from);
        else if (write || !dl_iterate_phdr(is_image, pointer)) fail(from, "%s outside all arrays", write ? "write" : "read");
    }
    if (!failed && alignment <= 16 && (uintptr_t)address % alignment)
        fail(from, "misaligned access: %lld bytes at an address that is no multiple of them", (long long)bytes);
    leave_if_failed();
}

}  // namespace

extern "C" {

const char* emulator_error() { return message; }
void* emulator_error_address() { return message_address; }

void emulator_barrier(const char* file, int line) { wait(AT_BARRIER, file, line); }

static void join_warp(unsigned mask, bool orders, const char* file, int line) {
    if (!(mask >> (current % WARP) & 1)) {
        fail(nullptr, "a thread calls %s:%d with a mask that leaves it out", file, line);
        leave_if_failed();
    }
    fibres[current].mask = mask;
    fibres[current].orders = orders;
    wait(IN_WARP, file, line);
}

void emulator_sync_warp(unsigned mask, const char* file, int line) { join_warp(mask, true, file, line); }

const unsigned char* emulator_exchange(unsigned mask, const void* value, int bytes, const char* file, int line) {
    // Two sets of slots in turn: a thread may be at its next exchange before all have read this one.
    int turn = fibres[current].turn++ % 2;
    unsigned char* slots = lanes[current / WARP][turn];
    memset(slots + 8 * (current % WARP), 0, 8);
    memcpy(slots + 8 * (current % WARP), value, bytes);
    join_warp(mask, false, file, line);
    return slots;
}

void emulator_check_lane(unsigned mask, int lane, const char* file, int line) {
    if (mask >> lane & 1 && current / WARP * WARP + lane < thread_count) return;
    fail(nullptr, "%s:%d takes a value from lane %d, which takes no part", file, line, lane);
    leave_if_failed();
}

void emulator_atomic(const void* address, int bytes) {
    access((void*)address, bytes, true, __builtin_return_address(0), true);
}

int emulator_launch(void (*call)(void**), unsigned char* (*dynamic_shared)(), void** arguments, int64_t blocks,
                    int threads, int64_t shared, const Array* given, int given_count, Order order) {
    prepare_stacks();
    kernel = call, kernel_arguments = arguments, arrays = given, array_count = given_count, thread_count = threads;
    dynamic_begin = dynamic_shared(), dynamic_bytes = shared;  // the call makes the loader allocate the block
    Found found{(uintptr_t)call, nullptr, 0};
    dl_iterate_phdr(find_shared, &found);
    shared_begin = found.begin, shared_bytes = found.bytes;
    interval = 0;
    shared_shadow.assign(shared_bytes, Shadow());
    array_shadow.assign(array_count, {});
    for (int array = 0; array < array_count; ++array)
        if (arrays[array].writeable) array_shadow[array].assign(arrays[array].bytes, Shadow());
    blockDim = {(unsigned)threads, 1, 1}, gridDim = {(unsigned)blocks, 1, 1};
    message[0] = 0, message_address = nullptr, failed = false;

    static unsigned char alternate[64 * 1024];
    stack_t signal_stack{}, old_stack{};
    signal_stack.ss_sp = alternate, signal_stack.ss_size = sizeof alternate;
    struct sigaction action{}, old_segv{}, old_bus{};
    action.sa_sigaction = on_fault, action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaltstack(&signal_stack, &old_stack);
    sigaction(SIGSEGV, &action, &old_segv);
    sigaction(SIGBUS, &action, &old_bus);
    running = true;
    if (!sigsetjmp(escape, 1))
        for (int64_t block = 0; block < blocks && !failed; ++block) {
            blockIdx.x = (unsigned)block;
            run_block(order);
        }
    running = false;
    current = -1;
    sigaction(SIGSEGV, &old_segv, nullptr);
    sigaction(SIGBUS, &old_bus, nullptr);
    sigaltstack(&old_stack, nullptr);
    return failed;
}

// Memory that ends where a page without permission begins, and begins behind another one.
unsigned char* emulator_allocate(int64_t bytes) {
    int64_t inner = (bytes + PAGE - 1) / PAGE * PAGE;
    void* mapped = mmap(nullptr, inner + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    mprotect((char*)mapped + PAGE, inner, PROT_READ | PROT_WRITE);
    return (unsigned char*)mapped + PAGE + inner - bytes;
}

void emulator_free(unsigned char* begin, int64_t bytes) {
    int64_t inner = (bytes + PAGE - 1) / PAGE * PAGE;
    munmap(begin + bytes - inner - PAGE, inner + 2 * PAGE);
}

#define FROM __builtin_return_address(0)
#define ACCESS(bytes)                                                                                                  \
    void __tsan_read##bytes(void* address) { access(address, bytes, false, FROM); }                                    \
    void __tsan_write##bytes(void* address) { access(address, bytes, true, FROM); }                                    \
    void __tsan_unaligned_read##bytes(void* address) { access(address, bytes, false, FROM); }                          \
    void __tsan_unaligned_write##bytes(void* address) { access(address, bytes, true, FROM); }                          \
    void __tsan_volatile_read##bytes(void* address) { access(address, bytes, false, FROM); }                           \
    void __tsan_volatile_write##bytes(void* address) { access(address, bytes, true, FROM); }
ACCESS(1) ACCESS(2) ACCESS(4) ACCESS(8) ACCESS(16)

static void range(void* address, long bytes, bool write, void* from) {
    // The parts of a struct, which the compiler may copy in any width.
    int64_t step = (uintptr_t)address % 4 == 0 && bytes % 4 == 0 ? 4 : 1;
    for (int64_t done = 0; done < bytes; done += step) access((char*)address + done, step, write, from);
}
void __tsan_read_range(void* address, long bytes) { range(address, bytes, false, FROM); }
void __tsan_write_range(void* address, long bytes) { range(address, bytes, true, FROM); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

// The first member of what each handler is told is where it happened.
struct Place {
    const char* file;
    uint32_t line, column;
};
static void undefined(const char* what, Place* place) {
    if (!running || current < 0) return;
    fail(nullptr, "%s at %s:%u", what, place->file, place->line);
    leave_if_failed();
}
#define UNDEFINED(name, what)                                                                                          \
    void __ubsan_handle_##name(Place* place) { undefined(what, place); }
UNDEFINED(out_of_bounds, "index outside an array")
UNDEFINED(add_overflow, "signed overflow of a sum")
UNDEFINED(sub_overflow, "signed overflow of a difference")
UNDEFINED(mul_overflow, "signed overflow of a product")
UNDEFINED(negate_overflow, "signed overflow of a negation")
UNDEFINED(divrem_overflow, "division by zero or overflow")
UNDEFINED(shift_out_of_bounds, "shift by more bits than there are")
}
