// Dense windows over two or three axes: y[i] = sum over j of weights[j] x~[first + i + j].
//
// Contract (windows.py): planes, rows and columns are the axes of the window from the slowest in memory to the fastest;
// two axes have one plane. `channels` is one axis that is faster still, such as colours; `batches` are all others. Any
// strides. Weights are in the order planes, rows, columns, by value or on the device. What lies beyond the ends of an
// axis is put in while loading. Every tap is multiplied, also a zero one, of the host or of the device: NaN times zero
// is NaN here, which the conventions leave open. Nothing outside the window is touched by NaN.
//
// Layout. A block has a tile of column_threads COLUMNS_EACH columns, row_threads ROWS_EACH rows, PLANES_EACH planes and
// `channel_tile` channels of outputs; a thread has COLUMNS_EACH x ROWS_EACH of them in every plane. Samples come to
// shared memory plane by plane, converted once and the channels apart, so that neighbours along a row lie side by side;
// samples that need no conversion are copied asynchronously. Windows too large for that come in panels: some rows of
// taps, and some columns. Results go back through shared memory, so that a block writes whole lines.
//
// Taps are taken in strips of columns: STRIP wide, the last one TAIL (1 to 7) wide, the only size that is compiled in;
// heights and numbers of strips and planes are run-time ones. Down a strip a thread keeps ROWS_EACH rows of COLUMNS_EACH
// + TAIL - 1 samples in registers, reads one new row at a time, and uses every weight COLUMNS_EACH ROWS_EACH times.
// Products are added in groups (windows_tiles.py: grouping_of), so that the error stays below 2 sqrt(taps) eps.
//
// Limits. With 4 x 4 outputs of float32 a thread reads from shared memory 0.25 samples for each product at 3 x 3, 0.13
// at 7 x 7, 0.12 at 15 x 15, by 128-bit loads; 0.25 is what shared memory can keep up with. Of the instructions of the
// inner loop for sm_90, 78 % are multiply-adds at 3 x 3 (192 of 246) and 83 % in strips of 7 (448 of 543). So memory
// limits small windows, up to about 5 x 5 in float32, and arithmetic those above 7 x 7. Three axes read PLANES_EACH +
// taps - 1 planes for PLANES_EACH of outputs, mostly from the second-level cache. Registers: the table of docs/gpu.md.
#include "numbers.cuh"
#include "boundary.cuh"
#include "weights.cuh"
#include "copies.cuh"
#include "digits.cuh"

#ifndef PLANE_BOUNDARY
#define PLANE_BOUNDARY NEAREST
#endif
#ifndef ROW_BOUNDARY
#define ROW_BOUNDARY REFLECT
#endif
#ifndef COLUMN_BOUNDARY
#define COLUMN_BOUNDARY REFLECT
#endif
#ifndef PLANES_EACH
#define PLANES_EACH 1
#endif
#ifndef ROWS_EACH
#define ROWS_EACH 4
#endif
#ifndef COLUMNS_EACH
#define COLUMNS_EACH 4
#endif
#ifndef TAIL
#define TAIL 3
#endif
// 0: as many channels as the geometry says; 1: none.
#ifndef CHANNELS
#define CHANNELS 1
#endif

// How products are added: 0 one sum (of a plane, if there are several), 1 to ROWS_EACH: so many rows of a strip in a row,
// COUNTED: as many as the geometry says.
#define COUNTED 100
#ifndef GROUPING
#define GROUPING 0
#endif

constexpr int WARP = 32;
constexpr int STRIP = 4;
constexpr bool IN_ROWS = GROUPING > 0 && GROUPING != COUNTED;
// Sums need no second place to go.
constexpr bool ONE_SUM = PLANES_EACH == 1 && GROUPING == 0;

struct Axis {
    int64 size, first, count, x_stride, y_stride, taps, tiles;
};

struct Batch {
    int64 count, x_stride, y_stride;
};

// All of int64, as windows.py lays it out.
struct Geometry {
    Axis planes, rows, columns;
    Batch channels, batches[3];
    int64 channel_tile, channel_tiles, column_threads, row_threads, warps;
    // Of a panel: rows of taps, columns of taps at most, samples between channels; products of a group.
    int64 panel_rows, panel_columns, pitch, group;
    int64 first_block, plane_weights, row_weights, column_weights;
};

// Where a block is: tiles begin at output `plane`, `row`, `column`, `channel`, and at an offset for the batch.
struct Place {
    Index plane, row, column, channel;
    int64 x, y;
};

__device__ inline int channel_tile_of(const Geometry& geometry) {
    return CHANNELS == 1 ? 1 : (int)geometry.channel_tile;
}

__device__ inline Place place_of(const Geometry& geometry) {
    Count block = (Count)geometry.first_block + blockIdx.x;
    Place place;
    place.channel = CHANNELS == 1 ? 0 : (Index)last_of(block, geometry.channel_tiles) * (int)geometry.channel_tile;
    place.column = (Index)last_of(block, geometry.columns.tiles) * (int)geometry.column_threads * COLUMNS_EACH;
    place.row = (Index)last_of(block, geometry.rows.tiles) * (int)geometry.row_threads * ROWS_EACH;
    place.plane = (Index)last_of(block, geometry.planes.tiles) * PLANES_EACH;
    place.x = place.y = 0;
    for (int axis = 2; axis >= 0; axis--) {
        int64 position = axis ? last_of(block, geometry.batches[axis].count) : block;
        place.x += position * geometry.batches[axis].x_stride;
        place.y += position * geometry.batches[axis].y_stride;
    }
    return place;
}

// `rows` rows of `columns` samples of each channel from position (row, column) of the extended plane at `plane`; null
// for a plane of fill values. With inside, nothing of it lies beyond the ends of rows and columns.
template <bool inside>
__device__ inline void load_plane(const Geometry& geometry, const Storage* plane, Sample* tile, Index row, Index column,
                                  int rows, int columns, Index channel, Sample fill) {
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = (int)geometry.warps;
    int channels = channel_tile_of(geometry), pitch = (int)geometry.pitch;
    // Loads of a thread that are under way at once; the border is a small part of the work, and of the code.
    constexpr int at_once = inside ? 8 : 2;
    int64 row_stride = geometry.rows.x_stride;
    Index height = (Index)geometry.rows.size, width = (Index)geometry.columns.size;
    for (int place = lane; place < columns * channels; place += WARP) {
        int across = CHANNELS == 1 ? place : place / channels, deep = place - across * channels;
        Index source = column + across;
        if constexpr (!inside) source = source_index<COLUMN_BOUNDARY>(source, width);
        bool known = inside || (plane && source >= 0);
        const Storage* from = plane + source * geometry.columns.x_stride;
        if constexpr (CHANNELS != 1) {
            // Channels past the last one are not written out; they get some sample.
            from += smaller((Index)(channel + deep), (Index)(geometry.channels.count - 1)) * geometry.channels.x_stride;
        }
        Sample* to = tile + deep * pitch + across;
        if constexpr (inside && COPIES) {
            from += (row + warp) * row_stride;
#pragma unroll 4
            for (int down = warp; down < rows; down += warps, from += warps * row_stride)
                copy_sample(to + down * channels * pitch, from);
        } else {
            for (int first = warp; first < rows; first += at_once * warps) {
                Sample values[at_once];
#pragma unroll
                for (int i = 0; i < at_once; i++) {
                    int down = first + i * warps;
                    Index line = row + down;
                    if constexpr (!inside) line = source_index<ROW_BOUNDARY>(line, height);
                    values[i] = fill;
                    if (down < rows && known && (inside || line >= 0)) values[i] = load(from + line * row_stride);
                }
#pragma unroll
                for (int i = 0; i < at_once; i++) {
                    int down = first + i * warps;
                    if (down < rows) to[down * channels * pitch] = values[i];
                }
            }
        }
    }
}

// The sums of a thread: `part` takes products, `whole` takes parts. `products` are in `part`.
struct Sums {
    Sum part[ROWS_EACH][COLUMNS_EACH], whole[PLANES_EACH][ROWS_EACH][COLUMNS_EACH];
    int products;

    __device__ void clear() {
        products = 0;
#pragma unroll
        for (int i = 0; i < ROWS_EACH; i++)
#pragma unroll
            for (int k = 0; k < COLUMNS_EACH; k++) {
                part[i][k] = zero<Sum>();
#pragma unroll
                for (int plane = 0; plane < PLANES_EACH; plane++) whole[plane][i][k] = zero<Sum>();
            }
    }

    // Ends a group of products, which were for outputs of plane `of`.
    __device__ void close(int of) {
        products = 0;
#pragma unroll
        for (int plane = 0; plane < PLANES_EACH; plane++) {
            // Registers have no index: as many branches as planes, the same for all threads.
            if (PLANES_EACH > 1 && plane != of) continue;
#pragma unroll
            for (int i = 0; i < ROWS_EACH; i++)
#pragma unroll
                for (int k = 0; k < COLUMNS_EACH; k++) whole[plane][i][k] = add(whole[plane][i][k], part[i][k]);
        }
#pragma unroll
        for (int i = 0; i < ROWS_EACH; i++)
#pragma unroll
            for (int k = 0; k < COLUMNS_EACH; k++) part[i][k] = zero<Sum>();
    }

    __device__ Sum total(int plane, int i, int k) const { return ONE_SUM ? part[i][k] : whole[plane][i][k]; }
};

// One strip of TAPS columns and `rows` rows of taps, for outputs of plane `of`. `line` is the thread's first sample.
template <int TAPS, class Source>
__device__ inline void sum_strip(Sums& sums, int of, int group, const Sample* line, int line_pitch,
                                 const Source& weights, int weight, int weight_pitch, int rows) {
    constexpr int width = COLUMNS_EACH + TAPS - 1;
    Sample window[ROWS_EACH][width];
#pragma unroll
    for (int i = 0; i < ROWS_EACH - 1; i++) {
        read_run<width>(window[i], line);
        line += line_pitch;
    }
    for (int row = 0; row < rows; row += ROWS_EACH) {
        if constexpr (GROUPING == COUNTED) {
            int products = smaller(ROWS_EACH, rows - row) * TAPS;
            if (sums.products + products > group) sums.close(of);
            sums.products += products;
        }
#pragma unroll
        for (int phase = 0; phase < ROWS_EACH; phase++) {
            if (row + phase >= rows) break;
            read_run<width>(window[(phase + ROWS_EACH - 1) % ROWS_EACH], line);
            line += line_pitch;
#pragma unroll
            for (int j = 0; j < TAPS; j++) {
                Weight tap = weights[weight + j];
#pragma unroll
                for (int i = 0; i < ROWS_EACH; i++)
#pragma unroll
                    for (int k = 0; k < COLUMNS_EACH; k++)
                        sums.part[i][k] =
                            multiply_add(sums.part[i][k], tap, window[(phase + i) % ROWS_EACH][k + j]);
            }
            weight += weight_pitch;
            if constexpr (IN_ROWS) {
                if ((phase + 1) % GROUPING == 0) sums.close(of);
            }
        }
    }
    if constexpr (IN_ROWS && GROUPING > 1) sums.close(of);
}

// `columns` columns of taps; the last strip has TAIL of them if it is the last one of the window.
template <class Source>
__device__ inline void sum_panel(Sums& sums, int of, int group, const Sample* line, int line_pitch,
                                 const Source& weights, int weight, int weight_pitch, int rows, int columns, bool last) {
    int column = 0;
    if constexpr (TAIL >= STRIP) {
        for (int stop = last ? columns - TAIL : columns; column < stop; column += STRIP)
            sum_strip<STRIP>(sums, of, group, line + column, line_pitch, weights, weight + column, weight_pitch, rows);
    }
    if (last)
        sum_strip<TAIL>(sums, of, group, line + column, line_pitch, weights, weight + column, weight_pitch, rows);
}

// One plane of results to where it belongs, by way of shared memory.
__device__ inline void write_plane(const Geometry& geometry, const Place& place, int of, const Sums& sums, Result* y,
                                   Result* staged, int tx, int deep, int ty, bool active) {
    int channels = channel_tile_of(geometry);
    int across = (int)geometry.column_threads * COLUMNS_EACH, rows = (int)geometry.row_threads * ROWS_EACH;
    __syncthreads();
    if (active) {
#pragma unroll
        for (int plane = 0; plane < PLANES_EACH; plane++) {
            if (PLANES_EACH > 1 && plane != of) continue;
#pragma unroll
            for (int i = 0; i < ROWS_EACH; i++)
#pragma unroll
                for (int k = 0; k < COLUMNS_EACH; k++)
                    staged[((ty * ROWS_EACH + i) * channels + deep) * across + tx * COLUMNS_EACH + k] =
                        convert<Result>(sums.total(plane, i, k));
        }
    }
    __syncthreads();
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    rows = (int)smaller((Index)rows, (Index)(geometry.rows.count - place.row));
    int columns = (int)smaller((Index)across, (Index)(geometry.columns.count - place.column));
    Result* plane = y + place.y + (place.plane + of) * geometry.planes.y_stride +
                    place.row * geometry.rows.y_stride + place.column * geometry.columns.y_stride;
    for (int at = lane; at < columns * channels; at += WARP) {
        int column = CHANNELS == 1 ? at : at / channels, channel = at - column * channels;
        Result* to = plane + column * geometry.columns.y_stride;
        if constexpr (CHANNELS != 1) {
            if (place.channel + channel >= (Index)geometry.channels.count) continue;
            to += (place.channel + channel) * geometry.channels.y_stride;
        }
        for (int row = warp; row < rows; row += (int)geometry.warps)
            to[row * geometry.rows.y_stride] = staged[(row * channels + channel) * across + column];
    }
}

extern "C" __global__ void correlate_windows(const Storage* __restrict__ x, Result* __restrict__ y, WEIGHTS_PARAMETER,
                                             Sample fill,
                                             const __grid_constant__ Geometry geometry) {
    DYNAMIC_SHARED;
    Sample* tile = (Sample*)dynamic_shared;
    Place place = place_of(geometry);
    int column_threads = (int)geometry.column_threads, channels = channel_tile_of(geometry);
    int tx = threadIdx.x % column_threads, ty = threadIdx.x / column_threads, deep = 0;
    if constexpr (CHANNELS != 1) {
        deep = ty % channels;
        ty /= channels;
    }
    bool active = ty < (int)geometry.row_threads;
    int pitch = (int)geometry.pitch, line_pitch = pitch * channels, group = (int)geometry.group;
    int tile_rows = (int)geometry.row_threads * ROWS_EACH, tile_columns = column_threads * COLUMNS_EACH;
    int plane_taps = (int)geometry.planes.taps, row_taps = (int)geometry.rows.taps;
    int column_taps = (int)geometry.columns.taps;
    int planes = (int)smaller((Index)PLANES_EACH, (Index)(geometry.planes.count - place.plane));
    const Sample* mine = tile + ty * ROWS_EACH * line_pitch + deep * pitch + tx * COLUMNS_EACH;
#if !WEIGHTS
    Weight* staged =
        (Weight*)(tile + (tile_rows + (int)geometry.panel_rows - 1) * line_pitch);
#endif
    Sums sums;
    sums.clear();
    for (int p = 0; p < planes + plane_taps - 1; p++) {
        Index source = source_index<PLANE_BOUNDARY>((Index)geometry.planes.first + place.plane + p,
                                                    (Index)geometry.planes.size);
        const Storage* plane = source < 0 ? nullptr : x + place.x + source * geometry.planes.x_stride;
        for (int top = 0; top < row_taps; top += (int)geometry.panel_rows) {
            int rows = smaller((int)geometry.panel_rows, row_taps - top);
            for (int left = 0; left < column_taps;) {
                bool last = column_taps - left <= (int)geometry.panel_columns;
                int columns = last ? column_taps - left : ((int)geometry.panel_columns - TAIL) / STRIP * STRIP;
                Index row = (Index)geometry.rows.first + place.row + top;
                Index column = (Index)geometry.columns.first + place.column + left;
                int high = tile_rows + rows - 1, wide = tile_columns + columns - 1;
                if (p + top + left) __syncthreads();
                if (plane && all_inside(row, (Index)high, (Index)geometry.rows.size) &&
                    all_inside(column, (Index)wide, (Index)geometry.columns.size))
                    load_plane<true>(geometry, plane, tile, row, column, high, wide, place.channel, fill);
                else
                    load_plane<false>(geometry, plane, tile, row, column, high, wide, place.channel, fill);
#if !WEIGHTS
                for (int at = threadIdx.x; at < PLANES_EACH * rows * columns; at += WARP * (int)geometry.warps) {
                    int tap = p - at / (rows * columns), rest = at % (rows * columns);
                    if (tap >= 0 && tap < plane_taps)
                        staged[at] = weights[tap * geometry.plane_weights +
                                             (top + rest / columns) * geometry.row_weights +
                                             (left + rest % columns) * geometry.column_weights];
                }
#endif
                await_copies();
                __syncthreads();
                for (int of = 0; active && of < planes; of++) {
                    int tap = p - of;
                    if (tap < 0 || tap >= plane_taps) continue;
#if WEIGHTS
                    int weight = (tap * row_taps + top) * column_taps + left;
                    sum_panel(sums, of, group, mine, line_pitch, weights, weight, column_taps, rows, columns, last);
#else
                    sum_panel(sums, of, group, mine, line_pitch, staged, of * rows * columns, columns, rows, columns,
                              last);
#endif
                    if (PLANES_EACH > 1) sums.close(of);
                }
                left += columns;
            }
        }
    }
    if (PLANES_EACH == 1 && !ONE_SUM) sums.close(0);
    // One after another: unrolled, this was a quarter of what a binary with four planes took to compile.
#pragma unroll 1
    for (int of = 0; of < planes; of++) {
        write_plane(geometry, place, of, sums, y, (Result*)dynamic_shared, tx, deep, ty, active);
    }
}
