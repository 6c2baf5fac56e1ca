"""The compiled loop over windows and channels: an extended block of every channel into scratch, from there the sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuconv.backends.cpu.bands import listed
from gpuconv.backends.cpu.channels_tiles import TOGETHER, call_channels
from gpuconv.backends.cpu.compiling import Loop
from gpuconv.backends.cpu.instructions import begin
from gpuconv.backends.cpu.loops import copy_samples
from gpuconv.backends.cpu.vectors import REGISTER_BYTES
from gpuconv.backends.cpu.windows_loops import load_block


def load_channels(
    ends: Any, scratch: Any, block: Any, fill: Any, planes: Any, rows: Any, columns: Any, edges: Any, formats: Any
) -> None:
    """Every channel of a group. Columns that a stride apart are read together are put side by side: first all that
    stand at a multiple of the stride, then those after them, and so on. scratch: where the block begins, and a place
    for one channel as it is; ends: see `_channels`."""
    width, stride, source = block[0], columns[9], block[2]
    for channel in range(ends[6]):
        block[2] = source + channel * ends[7]
        place = scratch[0] + channel * ends[11]
        if stride == 1:
            block[1], block[3], block[4] = place, ends[13], ends[12]
            load_block(block, fill, planes, rows, columns, edges, formats)
            continue
        block[1], block[3], block[4] = scratch[1], ends[15], ends[15] * block[9]
        load_block(block, fill, planes, rows, columns, edges, formats)
        for p in range(block[8]):
            for r in range(block[9]):
                read = scratch[1] + p * block[4] + r * block[3]
                write = place + p * ends[12] + r * ends[13]
                for phase in range(min(stride, block[10])):
                    count = (block[10] - phase + stride - 1) // stride
                    copy_samples(width, write + phase * ends[14], read + phase * width, stride * width, count)
    block[2] = source


def sum_channel_block(
    sums: Any, kernel: Any, panel: int, outputs: int, destination: int, source: int, steps: Any, few: Any
) -> None:
    """Outputs of a block for the channels of one panel. steps: planes, rows and columns of outputs, the bytes between
    these planes and rows in the result and in the block, between channels in the result."""
    width = sums[1]
    samples = steps[2]
    for p in range(steps[0]):
        for r in range(steps[1]):
            write = destination + p * steps[3] + r * steps[4]
            read = source + p * steps[5] + r * steps[6]
            if samples * width >= REGISTER_BYTES:
                call_channels(sums[0], (panel, kernel[1], write, steps[7], kernel[2], read, samples, outputs))
            else:
                lanes = REGISTER_BYTES // width
                call_channels(sums[0], (panel, kernel[1], begin(few), REGISTER_BYTES, kernel[2], read, lanes, outputs))
                for o in range(outputs):
                    copy_samples(width, write + o * steps[7], begin(few) + o * REGISTER_BYTES, width, samples)


def _channels(band: int, bands: int, table: int) -> None:
    """planes, rows, columns: size, first position, strides in source and result, outputs, outputs of a block, samples
    of the footprint, 1, bytes of a sample, stride. kernel: address of the weights, how many products an output has and
    how many are summed in a row (as one number), address of the distances, bytes of a panel. ends: source,
    destination, images and what lies between them in source and result, groups, inputs of a group and bytes between
    them, outputs of a group and bytes between them, then bytes of the scratch block: all, a channel, a plane, a row,
    columns of a phase, and a row of the place for a channel as it is, and that place. Edges as in `windows_loops`."""
    sums, kernel, fill, ends = listed(table, 0), listed(table, 1), listed(table, 2), listed(table, 3)
    planes, rows, columns = listed(table, 4), listed(table, 5), listed(table, 6)
    front, back, top = listed(table, 7), listed(table, 8), listed(table, 9)
    end, before, after = listed(table, 10), listed(table, 11), listed(table, 12)
    edges, formats = (front, back, top, end, before, after), listed(table, 13)
    width = sums[1]
    room = np.empty(ends[10] + ends[16] + 2 * REGISTER_BYTES, np.uint8)
    few = np.empty(TOGETHER * REGISTER_BYTES, np.uint8)
    place = (begin(room) + REGISTER_BYTES - 1) // REGISTER_BYTES * REGISTER_BYTES
    scratch = np.array((place, place + ends[10]))
    block = np.array((width, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    plane_blocks = (planes[4] + planes[5] - 1) // planes[5]
    row_blocks = (rows[4] + rows[5] - 1) // rows[5]
    column_blocks = (columns[4] + columns[5] - 1) // columns[5]
    tasks = ends[2] * ends[5] * plane_blocks * row_blocks * column_blocks
    steps = np.array((0, 0, 0, planes[3], rows[3], ends[12] * planes[9], ends[13] * rows[9], ends[9]))
    for task in range(tasks * band // bands, tasks * (band + 1) // bands):
        rest, column = task // column_blocks, task % column_blocks * columns[5]
        rest, row = rest // row_blocks, rest % row_blocks * rows[5]
        rest, plane = rest // plane_blocks, rest % plane_blocks * planes[5]
        image, group = rest // ends[5], rest % ends[5]
        steps[0], steps[1] = min(planes[5], planes[4] - plane), min(rows[5], rows[4] - row)
        steps[2] = min(columns[5], columns[4] - column)
        block[2] = ends[0] + image * ends[3] + group * ends[6] * ends[7]
        block[5], block[6], block[7] = plane * planes[9], row * rows[9], column * columns[9]
        block[8] = (steps[0] - 1) * planes[9] + planes[6]
        block[9] = (steps[1] - 1) * rows[9] + rows[6]
        block[10] = (steps[2] - 1) * columns[9] + columns[6]
        load_channels(ends, scratch, block, fill, planes, rows, columns, edges, formats)
        write = ends[1] + image * ends[4] + group * ends[8] * ends[9]
        write += plane * planes[3] + row * rows[3] + column * columns[3]
        panel = kernel[0] + group * ((ends[8] + TOGETHER - 1) // TOGETHER) * kernel[3]
        for output in range(0, ends[8], TOGETHER):
            some = min(TOGETHER, ends[8] - output)
            sum_channel_block(sums, kernel, panel, some, write + output * ends[9], place, steps, few)
            panel += kernel[3]


CHANNELS = Loop(_channels)
