// Around cuFFT: what fills a block, multiplies its spectrum, and brings the outputs back.
//
// A block holds `entries` of a batch, each a box of FFT lengths, transformed in place: rows of real samples are as long
// as their half spectrum. The transformed axes come last and in the memory order of x, so that every transform is
// over neighbours, whatever the layout of x; there are always three, the first ones of one sample if need be.
//
//     gather     x, extended beyond its ends, into the block: zeros behind, bad samples replaced by zero and noted
//     rescale    entries with samples so large that sums could overflow, scaled down; nothing where none was noted
//     (cuFFT)
//     multiply   the spectra by the kernel's
//     (cuFFT)
//     crop       the outputs, behind what wraps around, scaled, rounded once, to where they belong
//     mark       NaN where a non-zero tap meets a bad sample; nothing where none was noted
//
// Nobody waits for the device to learn whether a sample was NaN, infinite or too large: `gather` sees every sample,
// leaves a bit per sample and a flag per entry, and the kernels that deal with it end at once where no flag is up.
#include "numbers.cuh"
#include "boundary.cuh"

// What gather looks for: nothing, bad samples and large ones, or large ones only, while bad ones stay what they are. It
// is an argument, as is all else but dtypes.
enum { NOTHING, ALL, ONLY_LARGE };

template <class Value> struct RealOf { typedef Value type; };
template <class Part> struct RealOf<Complex<Part>> { typedef Part type; };
typedef RealOf<Sample>::type Part;
typedef Complex<Part> Frequency;

// Bits of an entry's flag.
enum { BAD = 1, LARGE = 2 };

// Sums of 2^30 samples and weights below LIMIT stay below the largest number; larger ones are scaled by 2^-DOWN.
template <class Value> struct Scaling { static constexpr int limit = 30, down = 98; };
template <> struct Scaling<double> { static constexpr int limit = 400, down = 624; };

// A warp takes RUN samples of a row, a block of threads WARPS such runs.
constexpr int LANES = 32, WARPS = 8, RUN = 256;

__device__ inline uint32 ballot(bool vote) { return __ballot_sync(0xffffffffu, vote); }

// How an array outside (x, y, a kernel) and a block inside lie: `fourier_launches.py` fills it in.
struct Layout {
    int64 entries, start;          // of this launch, and where the first of its images stands in the whole batch
    int64 images, step, total;     // entry e is tile e / images of image e % images: tiles follow each other by `step`
                                   // outputs on the last axis, of `total`
    int64 batch[4], batch_stride[4];
    int64 stride[3];               // of the transformed axes, outside
    int64 rows[2], columns;        // of an entry that are gone through
    int64 side_by_side;            // entries whose runs are taken together: where they are neighbours in memory,
                                   // what a thread block reads or writes of them is a whole line
    int64 entry_pitch, plane_pitch, row_pitch;  // inside
    int64 shift[3];                // where the first of the rows and columns stands inside
    int64 size[3], first[3], given[3], boundary[3];  // the spans that gather reads: `given` samples from `first`
    int64 taps[3];
};

// The run of a warp: entry, row and first column, and where the entry begins outside.
struct Run {
    int64 entry, outside;
    int row[2], column;
};

__device__ inline int64 entry_outside(const Layout& at, int64 entry) {
    int64 position = at.start + entry % at.images, outside = 0;
#pragma unroll 1
    for (int axis = 3; axis > 0; --axis) {
        if (at.batch[axis] == 1) continue;
        outside += position % at.batch[axis] * at.batch_stride[axis];
        position /= at.batch[axis];
    }
    return outside + position * at.batch_stride[0];
}

// The first output of the entry's tile on the last axis.
__device__ inline int64 tile_begin(const Layout& at, int64 entry) { return entry / at.images * at.step; }

// False for the warps behind the last run. The launcher keeps the number of runs below 2^31.
__device__ inline bool find_run(const Layout& at, int length, Run& run) {
    uint32 unit = blockIdx.x * WARPS + threadIdx.x / LANES;
    uint32 beside = (uint32)at.side_by_side, runs = ((uint32)at.columns + length - 1) / length;
    uint32 side = unit % beside;
    unit /= beside;
    run.column = (int)(unit % runs) * length;
    unit /= runs;
    for (int axis = 1; axis >= 0; --axis) {
        run.row[axis] = (int)(unit % (uint32)at.rows[axis]);
        unit /= (uint32)at.rows[axis];
    }
    run.entry = (int64)unit * beside + side;
    if (run.entry >= at.entries) return false;
    run.outside = entry_outside(at, run.entry);
    return true;
}

// Where the run's first sample stands inside.
__device__ inline int64 run_inside(const Layout& at, const Run& run) {
    return run.entry * at.entry_pitch + (run.row[0] + at.shift[0]) * at.plane_pitch +
           (run.row[1] + at.shift[1]) * at.row_pitch + run.column + at.shift[2];
}

__device__ inline Part magnitude(Part value) { return value < 0 ? -value : value; }
__device__ inline Part magnitude(Frequency value) {
    Part real = magnitude(value.real), imaginary = magnitude(value.imaginary);
    return larger(real, imaginary);
}
__device__ inline bool is_finite(Part value) { return value - value == 0; }
__device__ inline bool is_finite(Frequency value) { return is_finite(value.real) && is_finite(value.imaginary); }
__device__ inline bool is_zero(Part value) { return value == 0; }
__device__ inline bool is_zero(Frequency value) { return value.real == 0 && value.imaginary == 0; }
__device__ inline Part times(Part value, Part factor) { return value * factor; }
__device__ inline Frequency times(Frequency value, Part factor) {
    return {value.real * factor, value.imaginary * factor};
}

// 2^exponent, of any exponent that a normal number has.
__device__ inline float power_of_two(float, int exponent) {
    FloatBits number;
    number.bits = (uint32)(exponent + 127) << 23;
    return number.value;
}
union DoubleBits {
    double value;
    uint64 bits;
};
__device__ inline double power_of_two(double, int exponent) {
    DoubleBits number;
    number.bits = (uint64)(exponent + 1023) << 52;
    return number.value;
}

#if !defined(ONLY) || defined(ONLY_clear)
extern "C" __global__ void clear(uint32* flags, int64 count) {
    int64 position = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    if (position < count) flags[position] = 0;
}
#endif

#if !defined(ONLY) || defined(ONLY_gather)
extern "C" __global__ void gather(const Storage* __restrict__ x, Sample* __restrict__ block, uint32* __restrict__ flags,
                                  uint32* __restrict__ mask, Sample fill, int32 checked,
                                  const __grid_constant__ Layout at) {
    Run run;
    if (!find_run(at, RUN, run)) return;
    const Storage* line = x + run.outside;
    bool given = true, outside = false;
#pragma unroll 1
    for (int axis = 0; axis < 2; ++axis) {
        given = given && run.row[axis] < at.given[axis];
        int64 source = source_index(at.boundary[axis], at.first[axis] + run.row[axis], at.size[axis]);
        outside = outside || source < 0;
        line += source * at.stride[axis];
    }
    const int64 tile = tile_begin(at, run.entry), left = smaller(at.given[2] - tile, at.columns) - run.column;
    const int64 count = given ? smaller<int64>(left, RUN) : 0;
    const int64 begin = at.first[2] + tile + run.column;
    const bool inside = count > 0 && all_inside(begin, count, at.size[2]);
    const int lane = threadIdx.x % LANES;
    Sample* target = block + run_inside(at, run);
    const int64 words = (at.columns + LANES - 1) / LANES;
    uint32* bits = mask + ((run.entry * at.rows[0] + run.row[0]) * at.rows[1] + run.row[1]) * words;
    uint32 bad_ones = 0;
    bool large = false;
    for (int offset = 0; offset < RUN && run.column + offset < at.columns; offset += LANES) {
        const int column = offset + lane;
        Sample value = zero<Sample>();
        if (column < count) {
            if (outside) {
                value = fill;
            } else if (inside) {
                value = load(line + (begin + column) * at.stride[2]);
            } else {
                int64 source = source_index(at.boundary[2], begin + column, at.size[2]);
                value = source < 0 ? fill : load(line + source * at.stride[2]);
            }
        }
        if (checked == ALL) {
            const bool bad = !is_finite(value);
            if (bad) value = zero<Sample>();
            const uint32 word = ballot(bad);
            if (lane == 0) bits[(run.column + offset) / LANES] = word;
            bad_ones |= word;
        }
        if (checked != NOTHING) large = large || magnitude(value) > power_of_two(Part(), Scaling<Part>::limit);
        if (run.column + column < at.columns) target[column] = value;
    }
    if (checked != NOTHING) {
        const uint32 found = (bad_ones ? BAD : 0u) | (ballot(large) ? LARGE : 0u);
        if (lane == 0 && found) atomicOr(flags + run.entry, found);
    }
}
#endif

#if !defined(ONLY) || defined(ONLY_rescale)
extern "C" __global__ void rescale(Sample* __restrict__ block, const uint32* __restrict__ flags,
                                   const __grid_constant__ Layout at) {
    Run run;
    if (!find_run(at, RUN, run) || !(flags[run.entry] & LARGE)) return;
    Sample* target = block + run_inside(at, run);
    const Part factor = power_of_two(Part(), -Scaling<Part>::down);
    for (int column = threadIdx.x % LANES; column < RUN && run.column + column < at.columns; column += LANES) {
        const Sample scaled = times(target[column], factor);
        target[column] = scaled;
    }
}
#endif

__device__ inline Frequency product(Frequency a, Frequency b) {
    return {a.real * b.real - a.imaginary * b.imaginary, a.real * b.imaginary + a.imaginary * b.real};
}

// One thread per frequency and eight entries: the factor is read once for these. A complex kernel meets real samples as
// two real kernels, after one forward transform: `twice`.
#if !defined(ONLY) || defined(ONLY_multiply)
extern "C" __global__ void multiply(Frequency* __restrict__ spectra, const Frequency* __restrict__ factor,
                                    Frequency* __restrict__ second, const Frequency* __restrict__ second_factor,
                                    int64 frequencies, int64 entries, int32 twice) {
    constexpr int TOGETHER = 8;
    const uint32 across = ((uint32)frequencies + blockDim.x - 1) / blockDim.x;
    const int64 frequency = (int64)(blockIdx.x % across) * blockDim.x + threadIdx.x;
    const int64 begin = (int64)(blockIdx.x / across) * TOGETHER, end = smaller<int64>(begin + TOGETHER, entries);
    if (frequency >= frequencies) return;
    const Frequency weight = factor[frequency];
    for (int64 entry = begin; entry < end; ++entry) {
        const int64 place = entry * frequencies + frequency;
        const Frequency value = spectra[place];
        const Frequency first_product = product(value, weight);
        spectra[place] = first_product;
        if (twice) {
            const Frequency second_product = product(value, second_factor[frequency]);
            second[place] = second_product;
        }
    }
}
#endif

// Where the result is complex and the samples are real, the kernel is complex.
constexpr bool TWICE = PartOf<Result>::complex && !PartOf<Sample>::complex;

template <class Value> __device__ inline Result joined(Value real, Value imaginary) {
    if constexpr (TWICE) return convert<Result>(Complex<Value>{real, imaginary});
    else return convert<Result>(real);
}

// `reciprocal` is 1/n, `exponent` that of the power of two that the kernel was divided by. `flags` are the entries',
// `kernel_flag` is that of a kernel that the host has not looked at; `checked` and `kernel_checked` say whether there
// are any.
#if !defined(ONLY) || defined(ONLY_crop)
extern "C" __global__ void crop(const Sample* __restrict__ block, const Sample* __restrict__ second,
                                const uint32* __restrict__ flags, const uint32* __restrict__ kernel_flag,
                                Result* __restrict__ y, Part reciprocal, int32 exponent,
                                int32 checked, int32 kernel_checked, const __grid_constant__ Layout at) {
    Run run;
    if (!find_run(at, RUN, run)) return;
    if (checked && (flags[run.entry] & LARGE)) exponent += Scaling<Part>::down;
    if (kernel_checked && (kernel_flag[0] & LARGE)) exponent += Scaling<Part>::down;
    // In two halves: neither can leave the range of numbers on the way to a result that does not.
    const Part low = power_of_two(Part(), exponent / 2), high = power_of_two(Part(), exponent - exponent / 2);
    const int64 from = run_inside(at, run), tile = tile_begin(at, run.entry);
    const int64 columns = smaller(at.columns, at.total - tile);
    Result* target = y + run.outside + run.row[0] * at.stride[0] + run.row[1] * at.stride[1] + tile * at.stride[2];
    for (int column = threadIdx.x % LANES; column < RUN && run.column + column < columns; column += LANES) {
        Sample value = times(times(times(block[from + column], reciprocal), low), high);
        Result* place = target + (run.column + column) * at.stride[2];
        Sample imaginary = zero<Sample>();
        if (TWICE) imaginary = times(times(times(second[from + column], reciprocal), low), high);
        const Result rounded = joined(value, imaginary);
        *place = rounded;
    }
}
#endif

// Bits of a kernel's taps that are not zero, 32 along the last axis to a word.
#if !defined(ONLY) || defined(ONLY_pack)
extern "C" __global__ void pack(const Storage* __restrict__ kernel, uint32* __restrict__ support,
                                const __grid_constant__ Layout at) {
    const int64 words = (at.taps[2] + LANES - 1) / LANES;
    const int64 position = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    if (position >= at.taps[0] * at.taps[1] * words) return;
    const int64 row = position / words, begin = position % words * LANES;
    const Storage* line = kernel + row / at.taps[1] * at.stride[0] + row % at.taps[1] * at.stride[1];
    uint32 word = 0;
#pragma unroll 1
    for (int bit = 0; bit < LANES && begin + bit < at.taps[2]; ++bit)
        if (!is_zero(load(line + (begin + bit) * at.stride[2]))) word |= 1u << bit;
    support[position] = word;
}
#endif

// The outputs, 32 to a bit of the result, that see a bad sample through the taps of one word of a kernel's row.
__device__ inline uint32 seen(uint64 window, uint32 taps) {
    if (window == 0) return 0;
    if (taps == 0xffffffffu) {  // a run of 32: doubled up
        for (int step = 1; step < LANES; step *= 2) window |= window >> step;
        return (uint32)window;
    }
    uint32 found = 0;
#pragma unroll 1
    for (int bit = 0; bit < LANES; ++bit)
        if (taps >> bit & 1u) found |= (uint32)(window >> bit);
    return found;
}

// One thread per 32 outputs of a row. `mask` has `planes` times `rows` rows of `words` words per entry.
#if !defined(ONLY) || defined(ONLY_mark)
extern "C" __global__ void mark(Result* __restrict__ y, const uint32* __restrict__ mask,
                                const uint32* __restrict__ support, const uint32* __restrict__ flags, int64 planes,
                                int64 rows, int64 words, const __grid_constant__ Layout at) {
    const uint32 across = ((uint32)at.columns + LANES - 1) / LANES;
    const uint32 position = blockIdx.x * blockDim.x + threadIdx.x;
    const uint32 line = position / across;
    const int word = (int)(position % across);
    const uint32 lines_of_entry = (uint32)(at.rows[0] * at.rows[1]);
    const int64 entry = line / lines_of_entry;
    if (entry >= at.entries || !(flags[entry] & BAD)) return;
    const int row0 = (int)(line % lines_of_entry) / (int)at.rows[1], row1 = (int)(line % lines_of_entry % at.rows[1]);
    const int tap_words = (int)(at.taps[2] + LANES - 1) / LANES, tap_rows = (int)at.taps[1];
    uint32 found = 0;
#pragma unroll 1
    for (int tap = 0; tap < at.taps[0] * tap_rows && found != 0xffffffffu; ++tap) {
        const int64 plane = entry * planes + row0 + tap / tap_rows;
        const uint32* bits = mask + (plane * rows + row1 + tap % tap_rows) * words + word;
        const uint32* taps = support + (int64)tap * tap_words;
#pragma unroll 1
        for (int step = 0; step < tap_words; ++step) {
            const uint64 low = word + step < words ? bits[step] : 0u;
            const uint64 high = word + step + 1 < words ? bits[step + 1] : 0u;
            found |= seen(low | high << 32, taps[step]);
        }
    }
    const int64 tile = tile_begin(at, entry), columns = smaller(at.columns, at.total - tile);
    Result* target = y + entry_outside(at, entry) + row0 * at.stride[0] + row1 * at.stride[1] + tile * at.stride[2];
    const Part nothing = zero<Part>();
    const Result marked = convert<Result>(nothing / nothing);
#pragma unroll 1
    for (int bit = 0; bit < LANES && word * LANES + bit < columns; ++bit)
        if (found >> bit & 1u) target[(int64)(word * LANES + bit) * at.stride[2]] = marked;
}
#endif
