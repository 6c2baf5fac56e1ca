// Beyond the ends of an axis.
//
// The boundary of each axis is a #define (launch.py: boundary_define) with one of these names, or an argument
// (boundary_code). The launcher has turned
// axes of one sample, and axes that are never left, into NEAREST, so that no period is zero here.
//
// Output i of a span is the sum over j of weights[j] times sample first + i + j of the extended axis of `size` samples.
// Remap only while loading what may lie outside, behind a test that is the same for the whole block:
//
//     if (all_inside(start, length, size)) ...line[stride * p]...
//     else ...sample_at<BOUNDARY>(line, stride, p, size, fill)...
#pragma once

enum { CONSTANT, REFLECT, MIRROR, NEAREST, WRAP };

// Where the sample stands that is seen at `position`; -1 for the fill value. Index is int where size + reach < 2^31,
// else int64. One reflection is enough where the reach is below `size`; only what is still outside takes the division.
template <int boundary, class Index> __device__ inline Index source_index(Index position, Index size) {
    if constexpr (boundary == CONSTANT) {
        return position < 0 || position >= size ? (Index)-1 : position;
    } else if constexpr (boundary == NEAREST) {
        return position < 0 ? 0 : position >= size ? size - 1 : position;
    } else if constexpr (boundary == WRAP) {
        if (position < 0) position += size;
        else if (position >= size) position -= size;
        if (position < 0 || position >= size) {
            position %= size;
            if (position < 0) position += size;
        }
        return position;
    } else {
        constexpr Index edge = boundary == REFLECT ? 1 : 0;  // whether the last sample is seen twice
        if (position < 0) position = -position - edge;
        else if (position >= size) position = 2 * size - 2 + edge - position;
        if (position < 0 || position >= size) {
            Index period = 2 * size - 2 + 2 * edge;
            position %= period;
            if (position < 0) position += period;
            if (position >= size) position = period - edge - position;
        }
        return position;
    }
}

// The same where the boundary is an argument: for kernels that ask for it seldom, and would be five binaries for it.
__device__ inline int64 source_index(int64 boundary, int64 position, int64 size) {
    switch (boundary) {
        case CONSTANT: return source_index<CONSTANT>(position, size);
        case REFLECT: return source_index<REFLECT>(position, size);
        case MIRROR: return source_index<MIRROR>(position, size);
        case WRAP: return source_index<WRAP>(position, size);
        default: return source_index<NEAREST>(position, size);
    }
}

template <class Index> __device__ inline bool all_inside(Index start, Index length, Index size) {
    return start >= 0 && start + length <= size;
}

// The sample at `position` of the extended axis; `line` is where the axis begins.
template <int boundary, class Index>
__device__ inline Sample sample_at(const Storage* line, int64 stride, Index position, Index size, Sample fill) {
    Index source = source_index<boundary>(position, size);
    if constexpr (boundary == CONSTANT) {
        if (source < 0) return fill;
    }
    return load(line + stride * source);
}
