// Several explicit steps of diffusion of images in one launch.
//
// A block loads a tile and all that can reach it meanwhile, keeps eight rows of a column a thread in registers, and hands
// rows on to its neighbours through shared memory: three words of that move per cell and step, where one step from memory
// and back takes two of memory. What a step spoils from the rim inwards is not written.
#include "stencil.cuh"
#include "boundary.cuh"

#ifndef BOUNDARY_ROWS
#define BOUNDARY_ROWS NEAREST
#endif
#ifndef BOUNDARY_COLUMNS
#define BOUNDARY_COLUMNS NEAREST
#endif
#ifndef TALL
#define TALL 64
#endif

extern "C" __global__ void __launch_bounds__(WIDE* TALL / HIGH, 1)
    advance_fused(const Storage* u, Result* y, CONDUCTANCES, WEIGHTS_PARAMETER, const __grid_constant__ Sizes sizes,
                  int64 first_block, int64 row_blocks, int64 column_blocks, int32 steps) {
    __shared__ Sum tile[2][TALL][WIDE];
    int64 block = first_block + blockIdx.x;
    const int across_tile = threadIdx.x % WIDE, down_tile = threadIdx.x / WIDE * HIGH;
    const int64 column = block % column_blocks * (WIDE - 2 * steps) - steps + across_tile;
    block /= column_blocks;
    const int64 top = block % row_blocks * (TALL - 2 * steps) - steps + down_tile;
    const int64 field = block / row_blocks;

    // A tile may hang over the ends: around a periodic axis it goes on, beyond a closed one it holds copies of the last
    // cell, which nobody reads.
    const int64 from_column = source_index<BOUNDARY_COLUMNS>(column, sizes.columns);
    const bool first_column = BOUNDARY_COLUMNS == NEAREST && column <= 0;
    const bool last_column = BOUNDARY_COLUMNS == NEAREST && column >= sizes.columns - 1;
    Sum cells[HIGH];
#if VARYING
    Weight before_x[HIGH], behind_x[HIGH], before_y[HIGH], behind_y[HIGH];
#endif
#pragma unroll
    for (int i = 0; i < HIGH; i++) {
        const int64 from_row = source_index<BOUNDARY_ROWS>(top + i, sizes.rows);
        cells[i] = u[(field * sizes.rows + from_row) * sizes.columns + from_column];
#if VARYING
        before_x[i] = BEFORE(columns, field, 0, from_row, from_column);
        behind_x[i] = BEHIND(columns, field, 0, from_row, from_column);
        before_y[i] = BEFORE(rows, field, 0, from_row, from_column);
        behind_y[i] = BEHIND(rows, field, 0, from_row, from_column);
#endif
    }
    for (int step = 0; step < steps; step++) {
        // Two tiles in turn: who still reads the other one has passed the barrier of this one's last use.
        Sum(*now)[WIDE] = tile[step % 2];
#pragma unroll
        for (int i = 0; i < HIGH; i++) now[down_tile + i][across_tile] = cells[i];
        __syncthreads();
        Sum above = down_tile > 0 ? now[down_tile - 1][across_tile] : cells[0];
        const Sum beneath = down_tile + HIGH < TALL ? now[down_tile + HIGH][across_tile] : cells[HIGH - 1];
#pragma unroll
        for (int i = 0; i < HIGH; i++) {
            const Sum cell = cells[i];
            const Sum below = i + 1 < HIGH ? cells[i + 1 < HIGH ? i + 1 : i] : beneath;
            const bool first_row = BOUNDARY_ROWS == NEAREST && top + i <= 0;
            const bool last_row = BOUNDARY_ROWS == NEAREST && top + i >= sizes.rows - 1;
            const Sum left = first_column || across_tile == 0 ? cell : now[down_tile + i][across_tile - 1];
            const Sum right = last_column || across_tile == WIDE - 1 ? cell : now[down_tile + i][across_tile + 1];
#if VARYING
            Sum rate = across(zero<Sum>(), before_x[i], behind_x[i], left, cell, right);
            rate = across(rate, before_y[i], behind_y[i], first_row ? cell : above, cell, last_row ? cell : below);
#else
            Sum rate = across(zero<Sum>(), both_columns, both_columns, left, cell, right);
            rate = across(rate, both_rows, both_rows, first_row ? cell : above, cell, last_row ? cell : below);
#endif
            cells[i] = multiply_add(cell, weights[step], rate);
            above = cell;
        }
    }
    if (across_tile < steps || across_tile >= WIDE - steps || column >= sizes.columns) return;
#pragma unroll
    for (int i = 0; i < HIGH; i++) {
        const int64 row = top + i;
        if (down_tile + i >= steps && down_tile + i < TALL - steps && row < sizes.rows)
            y[(field * sizes.rows + row) * sizes.columns + column] = cells[i];
    }
}
