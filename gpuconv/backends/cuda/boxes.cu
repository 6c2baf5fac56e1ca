// Sums of equal taps along one axis: y[i] = sum_j weight x~[first + i + j], 0 <= j < taps.
//
// box_lines   any axis: a tile of a line and of its `lanes` neighbours, in one launch
// sum_tiles   before it, where a tile and the taps of its last output do not fit shared memory: the sum of every tile
//
// A line is cut into chunks of CHUNK samples, counted from the first sample of a tile. A box is the end of its first
// chunk, whole chunks between, and the beginning of its last chunk. A thread sums the ends and the beginnings for the
// CHUNK outputs of one chunk in registers; whole chunks are summed by doubling, CHUNK times less work than doubling
// samples would be. That takes some 40 instructions and 7 words of shared memory an output, and a word or two for
// every doubling of the taps beyond 70. Nothing is subtracted: what is not in a box does not touch its sum. Samples
// are weighted before they are summed, so that no sum overflows where the definition's does not. In one launch a
// product is rounded no more than CHUNK + DIRECT + 2 log2(taps) times, where block prefix sums as long as the taps
// would round it `taps` times.
//
// A block has rows * parts * lanes threads. `lanes` is the number of channels, where these and the axis are a row in
// memory; else positions side by side on the fastest axis. The tile of a block is its outputs and, behind them, what
// the box of the last one reaches. It lies in shared memory as it is loaded, every thread's loads independent of each
// other. Samples that two tiles share are read twice, the second time from a cache: so tiles of columns, of which
// there is room for few rows, are made of fewer lanes where taps are many.
//
// HOLE: the chunks between have no room. But for as many of them as a tile has at either end they are the same ones
// for all its outputs, and their sum, the bulk, takes the place of a single chunk. It is made of the sums of whole
// tiles, which sum_tiles left, and of less than a tile of samples. `taps` then counts the hole as one chunk, and
// samples behind it are found `jump` further on. A sample comes from memory twice, and once or twice more from a
// cache, whatever the taps.
#include "numbers.cuh"
#include "boundary.cuh"

#ifndef HOLE
#define HOLE 0
#endif
// How many lanes, where that is known so that places in shared memory are constants; 0 for any number.
#ifndef LANES
#define LANES 0
#endif

// Odd, so that threads that stand CHUNK samples apart read different banks of shared memory.
constexpr int CHUNK = 7;

// Tiles of a bulk that a thread adds up before their sum joins the others: no more roundings than a box may have.
constexpr int GROUP = 64;

// Of 256 threads to a multiprocessor: so few that ptxas does not spill, as it did with four for sums of eight bytes.
constexpr int BLOCKS = (sizeof(Sum) <= 4 ? 4 : sizeof(Sum) <= 8 ? 3 : 2) - (HOLE && sizeof(Sum) <= 8);

struct Axis {
    int64 size, first, count, boundary;
};
struct Strides {
    int64 high, low, axis, inner;
};
// What lies around the axis: `inner` positions on a faster one; of two slower ones `low` positions on the faster, and
// numbers from `outer_first` up to `outer_stop` in all. Blocks follow one another along these in the order of memory.
struct Around {
    int64 inner, outer_first, outer_stop, low;
    uint32 inner_tiles, axis_tiles;
};
// `chunks` is how many a tile has; a sum of the chunks between is doubled `doublings` times.
struct Tile {
    int32 lanes, parts, rows, chunks, taps, doublings, staged;
};
// A bulk is that of `tiles` tiles, of which a line has `of_line`, and of `rest` samples.
struct Bulk {
    int64 jump, tiles, of_line, rest;
};

struct Place {
    int64 outer, high, low, inner, tile;
    int lane, part, row;
    bool at_work;
};

__device__ inline int lanes_of(const Tile& tile) { return LANES ? LANES : tile.lanes; }

__device__ inline Place place_of(const Around& around, const Tile& tile) {
    Place place;
    uint32 beside = blockIdx.x / around.inner_tiles;
    int lanes = lanes_of(tile), threads = tile.parts * lanes;
    place.row = (int)threadIdx.x / threads;
    int thread = (int)threadIdx.x - place.row * threads;
    place.part = thread / lanes;
    place.lane = thread - place.part * lanes;
    place.tile = beside % around.axis_tiles;
    place.outer = around.outer_first + (int64)(beside / around.axis_tiles) * tile.rows + place.row;
    place.inner = (int64)(blockIdx.x % around.inner_tiles) * lanes + place.lane;
    place.high = place.outer;
    place.low = 0;
    if (around.low != 1) {
        place.high = place.outer / around.low;
        place.low = place.outer - place.high * around.low;
    }
    place.at_work = place.row < tile.rows && place.outer < around.outer_stop && place.inner < around.inner;
    return place;
}

__device__ inline int64 start_of(const Place& place, const Strides& strides) {
    return place.high * strides.high + place.low * strides.low + place.inner * strides.inner;
}

// A line of the extended axis, each sample times the weight.
struct Line {
    const Storage* at;
    int64 stride, size, boundary;
    Sample fill;
    Weight weight;

    __device__ Sum weighted(Sample sample) const { return multiply_add(zero<Sum>(), weight, sample); }

    // Hands `length` samples from `start` on to `take(i, sample)`: those that thread `part` of `parts` has to fetch.
    template <class Take>
    __device__ inline void fetch(int64 start, int length, int part, int parts, Take& take) const {
        if (all_inside<int64>(start, length, size)) {
            const Storage* from = at + (start + part) * stride;
            int64 further = parts * stride;
#pragma unroll 4
            for (int i = part; i < length; i += parts, from += further) take(i, weighted(load(from)));
        } else {
            for (int i = part; i < length; i += parts) {
                int64 source = source_index(boundary, start + i, size);
                take(i, weighted(source < 0 ? fill : load(at + source * stride)));
            }
        }
    }
};

struct IntoTile {
    Sum* samples;
    int lanes;
    __device__ void operator()(int i, Sum sample) { samples[i * lanes] = sample; }
};

struct IntoSum {
    Sum sum;
    __device__ void operator()(int, Sum sample) { sum = add(sum, sample); }
};

// The sum of `count` neighbours.
__device__ inline Sum sum_of(const Sum* sums, int count, int lanes) {
    Sum sum = zero<Sum>();
#pragma unroll 1
    for (int k = 0; k < count; ++k) sum = add(sum, sums[k * lanes]);
    return sum;
}

__device__ inline Sum sum_of_chunk(const Sum* samples, int lanes) {
    Sum sum = samples[0];
#pragma unroll
    for (int k = 1; k < CHUNK; ++k) sum = add(sum, samples[k * lanes]);
    return sum;
}

// Adds what the parts of a lane left in `sums`; the sum is in the first of them.
__device__ inline void join_parts(Sum* sums, int part, int parts, int lanes, bool at_work) {
    for (int left = parts; left > 1;) {
        __syncthreads();
        int half = (left + 1) / 2;
        if (at_work && part < left - half) sums[part * lanes] = add(sums[part * lanes], sums[(part + half) * lanes]);
        left = half;
    }
    __syncthreads();
}

#if !defined(ONLY) || defined(ONLY_sum_tiles)
// Tile number 1 and those after it: the first is in no bulk.
extern "C" __global__ void __launch_bounds__(256, BLOCKS)
    sum_tiles(const Storage* __restrict__ x, Sum* __restrict__ totals, Weight weight, Sample fill,
              const __grid_constant__ Axis axis, const __grid_constant__ Around around,
              const __grid_constant__ Strides from, const __grid_constant__ Tile tile) {
    DYNAMIC_SHARED;
    Place place = place_of(around, tile);
    const int lanes = lanes_of(tile);
    Sum* sums = (Sum*)dynamic_shared + place.lane;
    if (place.at_work) {
        Line line = {x + start_of(place, from), from.axis, axis.size, axis.boundary, fill, weight};
        int length = tile.chunks * CHUNK;
        IntoSum into = {zero<Sum>()};
        line.fetch(axis.first + (place.tile + 1) * length, length, place.part, tile.parts, into);
        sums[place.part * lanes] = into.sum;
    }
    join_parts(sums, place.part, tile.parts, lanes, place.at_work);
    if (place.at_work && place.part == 0)
        totals[(place.outer * around.axis_tiles + place.tile) * around.inner + place.inner] = sums[0];
}
#endif

#if HOLE
#define TOTALS_PARAMETER const Sum *__restrict__ totals,
#define BULK_PARAMETER const __grid_constant__ Bulk bulk,
#else
#define TOTALS_PARAMETER
#define BULK_PARAMETER
#endif

#if !defined(ONLY) || defined(ONLY_box_lines)
// What a block has in shared memory for each of its lines.
struct Shared {
    Sum *samples;  // of the tile, and of the taps of its last output
    Sum *whole;    // sums of chunks: number c is that of chunk c + 1, since no chunk comes before the first
    Sum *sums[2];  // of neighbours of these, doubled from one into the other
    Sum *parts;    // of the bulk
};

__device__ inline Shared shared_of(unsigned char* memory, const Place& place, const Tile& tile) {
    int between = tile.taps / CHUNK - 1, whole = tile.chunks + between - 1;
    int samples = tile.chunks * CHUNK + tile.taps - 1;
    int doubled = tile.doublings ? whole + 1 - (between >> tile.doublings) : 0;
    int row = samples + whole + 2 * doubled + (HOLE ? tile.parts : 0);
    const int lanes = lanes_of(tile);
    Shared shared;
    shared.samples = (Sum*)memory + place.row * row * lanes + place.lane;
    shared.whole = shared.samples + samples * lanes;
    shared.sums[0] = shared.whole + whole * lanes;
    shared.sums[1] = shared.sums[0] + doubled * lanes;
    shared.parts = shared.sums[1] + doubled * lanes;
    return shared;
}

// Sums of `between` neighbours of `whole`, of which there are enough for `chunks` sums: from those of a few, added one
// by one, doubling. Returns where they are; without a doubling, where the few are to be added.
__device__ inline const Sum* double_up(const Shared& shared, const Place& place, const Tile& tile, int chunks,
                                       int between) {
    if (tile.doublings == 0) return shared.whole;
    const int lanes = lanes_of(tile);
    int all = chunks + between - 1, summed = between >> tile.doublings;
    const Sum* whole = shared.whole;
    Sum *from = shared.sums[0], *to = shared.sums[1];
    if (place.at_work) {
        for (int c = place.part; c <= all - summed; c += tile.parts)
            from[c * lanes] = sum_of(whole + c * lanes, summed, lanes);
    }
    __syncthreads();
    for (int bit = tile.doublings - 1; bit >= 0; --bit) {
        int odd = between >> bit & 1, next = 2 * summed + odd;
        if (place.at_work) {
            for (int c = place.part; c <= all - next; c += tile.parts) {
                Sum sum = add(from[c * lanes], from[(c + summed) * lanes]);
                if (odd) sum = add(sum, whole[(c + 2 * summed) * lanes]);
                to[c * lanes] = sum;
            }
        }
        __syncthreads();
        Sum* last = from;
        from = to;
        to = last;
        summed = next;
    }
    return from;
}

// The outputs of one chunk, whose samples begin at `own`.
__device__ inline void sum_boxes(Sum (&results)[CHUNK], const Sum* own, Sum middle, int taps, int lanes) {
    results[CHUNK - 1] = own[(CHUNK - 1) * lanes];
#pragma unroll
    for (int k = CHUNK - 2; k >= 0; --k) results[k] = add(own[k * lanes], results[k + 1]);
    int rest = taps % CHUNK;
    const Sum* last = own + (taps - rest) * lanes;
    Sum beginning = zero<Sum>();
#pragma unroll
    for (int k = 0; k < CHUNK - 1; ++k)
        if (k < rest) beginning = add(beginning, last[k * lanes]);
    last += rest * lanes;
#pragma unroll
    for (int k = 0; k < CHUNK; ++k) {
        results[k] = add(results[k], add(middle, beginning));
        if (k == CHUNK - 1) break;
        beginning = add(beginning, last[k * lanes]);
        if (rest + k + 1 == CHUNK) {
            middle = add(middle, beginning);
            beginning = zero<Sum>();
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, BLOCKS)
    box_lines(const Storage* __restrict__ x, TOTALS_PARAMETER Result* __restrict__ y, Weight weight, Sample fill,
              const __grid_constant__ Axis axis, const __grid_constant__ Around around,
              const __grid_constant__ Strides from, const __grid_constant__ Strides to, BULK_PARAMETER
              const __grid_constant__ Tile tile) {
    DYNAMIC_SHARED;
    Place place = place_of(around, tile);
    Shared shared = shared_of(dynamic_shared, place, tile);
    const int lanes = lanes_of(tile), parts = tile.parts, part = place.part;
    const int between = tile.taps / CHUNK - 1;
    const int64 output = place.tile * tile.chunks * CHUNK, start = axis.first + output;
    const int wanted = (int)smaller<int64>(tile.chunks * CHUNK, axis.count - output);
    const int chunks = (wanted + CHUNK - 1) / CHUNK;

    if (place.at_work) {
        Line line = {x + start_of(place, from), from.axis, axis.size, axis.boundary, fill, weight};
        int needed = wanted + tile.taps - 1;
        IntoTile into = {shared.samples, lanes};
#if HOLE
        int before = tile.chunks * CHUNK, behind = before + CHUNK;
        line.fetch(start, before, part, parts, into);
        into.samples += behind * lanes;
        line.fetch(start + behind + bulk.jump, needed - behind, part, parts, into);
        IntoSum sum = {zero<Sum>()};
        const Sum* tiles = totals + (place.outer * bulk.of_line + place.tile) * around.inner + place.inner;
        for (int64 t = part; t < bulk.tiles;) {
            Sum some = zero<Sum>();
            for (int k = 0; k < GROUP && t < bulk.tiles; ++k, t += parts) some = add(some, tiles[t * around.inner]);
            sum(0, some);
        }
        line.fetch(start + (bulk.tiles + 1) * before, (int)bulk.rest, part, parts, sum);
        shared.parts[part * lanes] = sum.sum;
#else
        line.fetch(start, needed, part, parts, into);
#endif
        // What lies behind the last sample that is needed would be taken for a border.
        for (int i = needed + part; i < chunks * CHUNK + tile.taps - 1; i += parts)
            shared.samples[i * lanes] = zero<Sum>();
    }
#if HOLE
    join_parts(shared.parts, part, parts, lanes, place.at_work);
#else
    __syncthreads();
#endif
    if (place.at_work) {
        for (int c = part; c < chunks + between - 1; c += parts) {
#if HOLE
            if (c + 1 == tile.chunks) {
                shared.whole[c * lanes] = shared.parts[0];
                continue;
            }
#endif
            shared.whole[c * lanes] = sum_of_chunk(shared.samples + (c + 1) * CHUNK * lanes, lanes);
        }
    }
    __syncthreads();
    const Sum* sums = double_up(shared, place, tile, chunks, between);

    Result* target = y + start_of(place, to) + output * to.axis;
    for (int done = 0; done < chunks; done += parts) {
        int chunk = done + part;
        bool busy = place.at_work && chunk < chunks;
        Sum results[CHUNK];
        Sum* own = shared.samples + chunk * CHUNK * lanes;
        if (busy) {
            Sum middle = tile.doublings ? sums[chunk * lanes] : sum_of(sums + chunk * lanes, between, lanes);
            sum_boxes(results, own, middle, tile.taps, lanes);
        }
        if (tile.staged) {
            // By way of shared memory, so that neighbouring threads write neighbouring results. Chunks that are still
            // to come need no sample of these.
            __syncthreads();
            if (busy) {
#pragma unroll
                for (int k = 0; k < CHUNK; ++k) own[k * lanes] = results[k];
            }
        } else if (busy) {
            Result* at = target + chunk * CHUNK * to.axis;
#pragma unroll
            for (int k = 0; k < CHUNK; ++k)
                if (chunk * CHUNK + k < wanted) store(at + k * to.axis, results[k]);
        }
    }
    if (!tile.staged) return;
    __syncthreads();
    if (place.at_work)
        for (int i = part; i < wanted; i += parts) store(target + i * to.axis, shared.samples[i * lanes]);
}
#endif
