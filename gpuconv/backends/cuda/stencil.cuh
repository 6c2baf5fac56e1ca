// Explicit steps of diffusion, u + length * (what enters each cell through its faces): what both kernels share.
//
// u is C-ordered: fields of planes of rows of columns. Of one axis the fields are rows, of two there is one plane. `before`
// and `behind` are the conductances of the two faces of a cell across an axis, over its volume; a face at a closed end
// counts nothing, because what lies beyond it is taken to be the cell itself.
//
// All kernels advance a cell by the same expression, so that neither tiles nor the number of fused steps show in the bits.
#pragma once

#include "numbers.cuh"
#include "weights.cuh"

#ifndef AXES
#define AXES 2
#endif
#ifndef VARYING
#define VARYING 0
#endif

constexpr int WIDE = 64;  // columns of a block
constexpr int HIGH = 8;   // rows of a thread

struct Sizes {
    int64 fields, planes, rows, columns;
};
struct Strides {
    int64 field, plane, row, column;
};

// Conductances: numbers, or arrays with strides, zero along axes on which they do not vary.
#if VARYING
#define PAIR(axis) const Weight *before_##axis, const Weight *behind_##axis
#define STRIDES(axis) const __grid_constant__ Strides along_##axis
#define BEFORE(axis, field, plane, row, column) before_##axis[place(along_##axis, field, plane, row, column)]
#define BEHIND(axis, field, plane, row, column) behind_##axis[place(along_##axis, field, plane, row, column)]
#else
#define PAIR(axis) Weight both_##axis
#define BEFORE(axis, field, plane, row, column) both_##axis
#define BEHIND(axis, field, plane, row, column) both_##axis
#endif

#if VARYING
#if AXES == 1
#define CONDUCTANCES PAIR(columns), STRIDES(columns)
#elif AXES == 2
#define CONDUCTANCES PAIR(columns), PAIR(rows), STRIDES(columns), STRIDES(rows)
#else
#define CONDUCTANCES PAIR(columns), PAIR(rows), PAIR(planes), STRIDES(columns), STRIDES(rows), STRIDES(planes)
#endif
#else
#if AXES == 1
#define CONDUCTANCES PAIR(columns)
#elif AXES == 2
#define CONDUCTANCES PAIR(columns), PAIR(rows)
#else
#define CONDUCTANCES PAIR(columns), PAIR(rows), PAIR(planes)
#endif
#endif

__device__ inline int64 place(const Strides& strides, int64 field, int64 plane, int64 row, int64 column) {
    return field * strides.field + plane * strides.plane + row * strides.row + column * strides.column;
}

template <class Value> __device__ inline Value difference(Value a, Value b) { return a - b; }
template <class Part> __device__ inline Complex<Part> difference(Complex<Part> a, Complex<Part> b) {
    return {a.real - b.real, a.imaginary - b.imaginary};
}

// What enters through both faces of a cell across one axis is added to `rate`.
__device__ inline Sum across(Sum rate, Weight before, Weight behind, Sum lower, Sum cell, Sum upper) {
    rate = multiply_add(rate, before, difference(lower, cell));
    return multiply_add(rate, behind, difference(upper, cell));
}
