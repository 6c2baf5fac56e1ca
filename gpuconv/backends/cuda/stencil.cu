// One explicit step of diffusion, or what enters each cell per time.
//
// A thread walks down eight rows of a column and keeps the cell above and the one below in registers; what its neighbours
// read, it finds in the cache: one word from memory and one back move per cell, and one for each conductance that varies.
#include "stencil.cuh"

#ifndef ENTERS
#define ENTERS 0
#endif

constexpr int GROUPS = 4;  // of HIGH rows in a block, at most

// The cell that is seen before the first one and behind the last one: itself at a closed end, the other end around a
// periodic axis. As arguments they cost what constants would, and one binary serves all.
struct Ends {
    int64 before, behind;
};
struct AllEnds {
    Ends planes, rows, columns;
};

// A neighbour on an axis of `size` cells.
__device__ inline int64 neighbour(int64 position, int64 size, const Ends& ends) {
    return position < 0 ? ends.before : position >= size ? ends.behind : position;
}

extern "C" __global__ void __launch_bounds__(WIDE* GROUPS, 2)
    advance(const Storage* u, Result* y, CONDUCTANCES,
#if ENTERS
            const Sum* supply, const Weight* exchange, const __grid_constant__ Strides of_supply,
            const __grid_constant__ Strides of_exchange,
#endif
            Weight length, const __grid_constant__ Sizes sizes, const __grid_constant__ AllEnds ends, int64 first_block,
            int64 row_blocks, int64 column_blocks, int32 groups, int32 rate_only) {
    int64 block = first_block + blockIdx.x;
    const int64 column = block % column_blocks * WIDE + threadIdx.x % WIDE;
    block /= column_blocks;
    const int64 top = (block % row_blocks * groups + threadIdx.x / WIDE) * HIGH;
    block /= row_blocks;
    const int64 plane = block % sizes.planes, field = block / sizes.planes;
    if (column >= sizes.columns || top >= sizes.rows) return;  // no barrier follows

    const int64 in_plane = sizes.rows * sizes.columns;
    const int64 origin = (field * sizes.planes + plane) * in_plane;
    const Storage* image = u + origin;
    const int64 left = neighbour(column - 1, sizes.columns, ends.columns);
    const int64 right = neighbour(column + 1, sizes.columns, ends.columns);
#if AXES > 2
    const int64 nearer = (neighbour(plane - 1, sizes.planes, ends.planes) - plane) * in_plane;
    const int64 farther = (neighbour(plane + 1, sizes.planes, ends.planes) - plane) * in_plane;
#endif
#if AXES > 1
    Sum above = image[neighbour(top - 1, sizes.rows, ends.rows) * sizes.columns + column];
    Sum below = image[top * sizes.columns + column];
#endif
    const int64 stop = smaller(top + HIGH, sizes.rows);
    for (int64 row = top; row < stop; row++) {
        const int64 at = row * sizes.columns;
#if AXES > 1
        const Sum cell = below;
        below = image[neighbour(row + 1, sizes.rows, ends.rows) * sizes.columns + column];
#else
        const Sum cell = image[at + column];
#endif
        Sum rate = across(zero<Sum>(), BEFORE(columns, field, plane, row, column),
                          BEHIND(columns, field, plane, row, column), image[at + left], cell, image[at + right]);
#if AXES > 1
        rate = across(rate, BEFORE(rows, field, plane, row, column), BEHIND(rows, field, plane, row, column), above,
                      cell, below);
#endif
#if AXES > 2
        rate = across(rate, BEFORE(planes, field, plane, row, column), BEHIND(planes, field, plane, row, column),
                      image[at + column + nearer], cell, image[at + column + farther]);
#endif
#if ENTERS
        const Weight leaves = -exchange[place(of_exchange, field, plane, row, column)];
        rate = add(multiply_add(rate, leaves, cell), supply[place(of_supply, field, plane, row, column)]);
#endif
        const Result result = rate_only ? rate : multiply_add(cell, length, rate);
        y[origin + at + column] = result;
#if AXES > 1
        above = cell;
#endif
    }
}
