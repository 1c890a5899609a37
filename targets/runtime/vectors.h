/* Test inputs that need no storage: value i of input t of vector v is a function of the seed (the numpy twin is artifact/vectors.py).
 *
 *     mix(z)   = SplitMix64's finaliser                 [Steele, Lea & Flood, OOPSLA 2014]
 *     key      = mix(seed + (65536 v + t + 1) G)        G = 0x9E3779B97F4A7C15, all modulo 2^64
 *     value(i) = mix(key + (i + 1) G)
 *
 * float32, float64: (value >> 40) / 2^23 - 1, in [-1, 1), exact; float16: the same, rounded to nearest.  uint8: the top 8 bits; int8: minus 128.  bool: the top bit.
 * Wider integers: the top 4 bits, 0…15.  Integers whose range is 0 to high, because they are indices: (value >> 32) high / 2^32, 0…high-1.
 *
 * Vector EDGE_ODD sees what noise never meets: an eighth each of its floats are 0, the range's high and low ends, one repeated value (half the high
 * end), 2^-20 and 2^-40 of noise; a quarter is noise over the whole range.  The low 3 bits of the value say which.
 */
#ifndef EDGE_VECTORS_H
#define EDGE_VECTORS_H
#include "program.h"

enum { EDGE_ODD = 2 };

/* Fills tensor->bytes of data. range: NULL for -1 to 1. Returns 0 when the dtype has no generator. */
int edge_fill(const struct edge_tensor *tensor, uint64_t seed, int vector, int index, const struct edge_range *range, void *data);

/* max|d| and max|expected| over a tensor; a NaN on either side that the other has not makes the difference infinite.
 * Returns 0 when the dtype cannot be compared. */
int edge_sums(const struct edge_tensor *tensor, const void *got, const void *expected, double *difference, double *size);
int edge_difference(const struct edge_tensor *tensor, const void *got, const void *expected, double *difference, double *largest);
#endif
