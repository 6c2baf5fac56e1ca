// Positions and counts, and how one number becomes several.
//
// INDEX is a #define, int or int64: int where all positions along an axis, blocks and counts stay below 2^30, which leaves
// room for a tile beyond the last output, and for reflecting it.
#pragma once

#ifndef INDEX
#define INDEX int
#endif

typedef INDEX Index;
template <class Type> struct Unsigned { typedef uint32 type; };
template <> struct Unsigned<int64> { typedef uint64 type; };
typedef Unsigned<Index>::type Count;

// The last digit of `number`, of which there are `digits`, is taken off it.
__device__ inline Count last_of(Count& number, int64 digits) {
    Count rest = number / (Count)digits, digit = number - rest * (Count)digits;
    number = rest;
    return digit;
}
