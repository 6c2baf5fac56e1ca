// Put after a .cu file, and followed by EMULATED(name) for each of its kernels: how to call it, and what it takes.
#pragma once

#define EMULATOR_EXPORT extern "C" __attribute__((visibility("default"), no_sanitize("thread", "undefined")))

thread_local unsigned char dynamic_shared[48 * 1024] __align__(16);

// Per parameter: a letter, and the bytes of the parameter or of what it points to.
struct EmulatorParameter {
    char kind;  // r: const pointer, w: pointer, i: signed, u: unsigned, f: floating, s: struct
    int bytes;
};


template <class Value> constexpr EmulatorParameter emulator_parameter(Value*) {
    if constexpr (__is_class(Value)) return {'s', (int)sizeof(Value)};
    else if constexpr (Value(0.5) != Value(0)) return {'f', (int)sizeof(Value)};
    else return {Value(-1) < Value(0) ? 'i' : 'u', (int)sizeof(Value)};
}
template <class Value> constexpr EmulatorParameter emulator_parameter(Value**) { return {'w', (int)sizeof(Value)}; }
template <class Value> constexpr EmulatorParameter emulator_parameter(const Value**) {
    return {'r', (int)sizeof(Value)};
}

template <int... positions> struct EmulatorPositions {};
template <int count, int... positions> struct EmulatorCount : EmulatorCount<count - 1, count - 1, positions...> {};
template <int... positions> struct EmulatorCount<0, positions...> {
    typedef EmulatorPositions<positions...> type;
};

template <class... Values> struct EmulatorSignature {
    static constexpr int count = sizeof...(Values);
    static constexpr EmulatorParameter parameters[] = {emulator_parameter((Values*)nullptr)...};

    template <int... positions>
    __attribute__((no_sanitize("thread", "undefined"))) static void call(void (*kernel)(Values...), void** arguments,
                                                                          EmulatorPositions<positions...>) {
        kernel(*(Values*)arguments[positions]...);
    }
    typedef typename EmulatorCount<count>::type positions;
};

template <class... Values> EmulatorSignature<Values...> emulator_signature(void (*)(Values...));

#define EMULATED(kernel)                                                                                               \
    typedef decltype(emulator_signature(kernel)) EmulatedSignature_##kernel;                                           \
    EMULATOR_EXPORT void emulated_##kernel(void** arguments) {                                                         \
        EmulatedSignature_##kernel::call(kernel, arguments, EmulatedSignature_##kernel::positions());                  \
    }                                                                                                                  \
    EMULATOR_EXPORT int emulated_count_##kernel() { return EmulatedSignature_##kernel::count; }                        \
    EMULATOR_EXPORT int emulated_kind_##kernel(int position) {                                                         \
        return EmulatedSignature_##kernel::parameters[position].kind;                                                  \
    }                                                                                                                  \
    EMULATOR_EXPORT int emulated_bytes_##kernel(int position) {                                                        \
        return EmulatedSignature_##kernel::parameters[position].bytes;                                                 \
    }

EMULATOR_EXPORT unsigned char* emulated_dynamic_shared() { return dynamic_shared; }
