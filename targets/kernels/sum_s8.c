/* The sum of two tensors of 8-bit integers of one shape and layout: y = round((p - p_zero) * p_scale + (q - q_zero) * q_scale) + zero.
 *
 * Scales are in steps of y; each product is rounded to float32, then their sum.  A chunk is `chunk` elements. */
#include "integer.h"

struct sum_s8 {
    const void *p, *q;
    void *y;
    int n, p_zero, q_zero, p_signed, q_signed;
    float p_scale, q_scale;
    int chunk;
    struct requantize requantize;
};

INLINE void sum_s8_run(struct sum_s8 a, size_t at, int lanes) {
    EXACT
    const si p = bytes(a.p, at, a.p_signed, lanes) - a.p_zero, q = bytes(a.q, at, a.q_signed, lanes) - a.q_zero;
    const sf first = __builtin_convertvector(p, sf) * a.p_scale;
    const sf second = __builtin_convertvector(q, sf) * a.q_scale;
    const sf steps = first + second;
    store_bytes(a.y, at, settle(steps, a.requantize), lanes);
}

INLINE void sum_s8(int begin, int end, struct sum_s8 a) {
    const size_t last = (size_t)least(end * a.chunk, a.n);
    size_t at = (size_t)begin * a.chunk;
    for (; at + LANES <= last; at += LANES) sum_s8_run(a, at, LANES);
    for (; at < last; at++) sum_s8_run(a, at, 1);
}
