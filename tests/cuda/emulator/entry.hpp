// Put after a .cu file, with EMULATOR_KERNEL the name of a kernel: how to call it, and what its parameters are.
#pragma once

__attribute__((visibility("default"))) thread_local unsigned char dynamic_shared[48 * 1024] __align__(16);

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
typedef decltype(emulator_signature(EMULATOR_KERNEL)) EmulatedKernel;

extern "C" {
__attribute__((no_sanitize("thread", "undefined"))) void emulated_call(void** arguments) {
    EmulatedKernel::call(EMULATOR_KERNEL, arguments, EmulatedKernel::positions());
}
__attribute__((no_sanitize("thread", "undefined"))) unsigned char* emulated_dynamic_shared() { return dynamic_shared; }
int emulated_parameter_count() { return EmulatedKernel::count; }
int emulated_parameter_kind(int position) { return EmulatedKernel::parameters[position].kind; }
int emulated_parameter_bytes(int position) { return EmulatedKernel::parameters[position].bytes; }
}
