/* Vectors of 16 channels of 8-bit integers, their int32 sums, and how a sum becomes 8 bits again.
 *
 * edge.words.quant defines the rounding; every level, ISA and thread count gives the same bytes.  Only float32 multiplications and
 * additions that IEEE 754 rounds one by one are used: a multiplication and an addition are never fused (EXACT). */
#ifndef EDGE_INTEGER_H
#define EDGE_INTEGER_H
#include "vector.h"

enum { LANES = 16 };
typedef int32_t si __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float sf __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int8_t s8v __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef uint8_t u8v __attribute__((vector_size(LANES), aligned(1), may_alias));

#ifdef __clang__
#define EXACT _Pragma("STDC FP_CONTRACT OFF")
#else
#define EXACT  /* gcc does not fuse in ISO C */
#endif

/* y = round(clamp(v, low, high)) + zero: v is in steps of y */
struct requantize {
    int zero, low, high;
};

INLINE si every(int32_t s) { return s - (si){0}; }
INLINE sf every_real(float s) { return s - (sf){0}; }
INLINE si words(const int32_t *p) { return *(const si *)p; }
INLINE sf reals(const float *p) { return *(const sf *)p; }

/* One integer of an 8-bit tensor. */
INLINE int32_t byte(const void *p, size_t at, int is_signed) { return is_signed ? ((const int8_t *)p)[at] : ((const uint8_t *)p)[at]; }

/* Sixteen of them, or the first `lanes` and zeros. */
INLINE si bytes(const void *p, size_t at, int is_signed, int lanes) {
    u8v raw = {0};
    if (lanes == LANES) raw = *(const u8v *)((const uint8_t *)p + at);
    else memcpy(&raw, (const uint8_t *)p + at, (size_t)lanes);
    return is_signed ? __builtin_convertvector((s8v)raw, si) : __builtin_convertvector(raw, si);
}

INLINE void store_bytes(void *p, size_t at, si v, int lanes) {
    const u8v raw = __builtin_convertvector(v, u8v);  /* the low eight bits, whatever the sign */
    if (lanes == LANES) *(u8v *)((uint8_t *)p + at) = raw;
    else memcpy((uint8_t *)p + at, &raw, (size_t)lanes);
}

INLINE sf pick(si mask, sf yes, sf no) { return (sf)((mask & (si)yes) | (~mask & (si)no)); }

/* Adding 1.5 * 2^23 leaves no bit for a fraction, so the addition itself rounds half to even; a clamped step is far smaller than 2^22. */
INLINE si settle(sf v, struct requantize to) {
    const sf low = every_real((float)to.low), high = every_real((float)to.high), shift = every_real(12582912.0f);
    v = pick(v < low, low, v);
    v = pick(v > high, high, v);
    const sf moved = v + shift;
    const sf whole = moved - shift;
    return __builtin_convertvector(whole, si) + to.zero;
}

INLINE si requantized(si sum, sf scale, struct requantize to) {
    EXACT
    const sf steps = __builtin_convertvector(sum, sf) * scale;
    return settle(steps, to);
}
#endif
