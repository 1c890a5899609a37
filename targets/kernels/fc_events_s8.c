/* Dense synapses of 8-bit weights and their neurons, driven by spikes.  x: a list of steps of (channels, pixels) whose spikes are 1.
 * w: (channels * pixels, N/B, B).  y: a list, or the potentials of every step where they leak and do not spike.  current: scratch. */
#include "spiking_s8.h"

struct fc_events_s8 {
    const int32_t *x;
    const int8_t *w;
    const int16_t *parameters, *v;
    int32_t *y;
    int16_t *next;
    int32_t *current;
    uint64_t *counts;
    int steps, channels, pixels, room, n, each, leak, above, reset, shift, wide, decays, low, high;
};

INLINE const int8_t *fc_events_s8_row(struct fc_events_s8 a, int place) {
    const int row = a.pixels == 1 ? place : channel_of(place, a.pixels) * a.pixels + pixel_of(place, a.pixels);
    return a.w + (size_t)row * (ceil_div(a.n, B) * B);
}

enum { ROWS_AT_ONCE = 8 };

/* The rest of `rows` rows, at most eight, from lane l on: their sum is exact in 16 bits, and currents are loaded and stored once for it. */
INLINE void fc_events_s8_rest(int16_t *to, const int8_t *const *w, int l, int lanes, int rows) {
    ROLLED for (; l + PAIR <= lanes; l += PAIR) {
        ps sum = __builtin_convertvector(*(const pb *)(w[0] + l), ps);
        UNROLLED for (int i = 1; i < rows; i++) sum += __builtin_convertvector(*(const pb *)(w[i] + l), ps);
        *(ps *)(to + l) += sum;
    }
    if (l < lanes) {
        hs sum = __builtin_convertvector(*(const hb *)(w[0] + l), hs);
        UNROLLED for (int i = 1; i < rows; i++) sum += __builtin_convertvector(*(const hb *)(w[i] + l), hs);
        *(hs *)(to + l) += sum;
    }
}

#if defined(__clang__) && defined(__AVX512BW__) && EDGE_BLOCK == 16
/* An even number of rows, 64 lanes at once: vpmaddubsw adds the bytes of two rows to numbers of 16 bits, which takes half of what widening each does. */
INLINE void fc_events_s8_rows(int16_t *to, const int8_t *const *w, int lanes, int rows) {
    typedef char bytes __attribute__((vector_size(64), aligned(1), may_alias));
    typedef short shorts __attribute__((vector_size(64), aligned(2), may_alias));
    typedef long long quads __attribute__((vector_size(64), aligned(2), may_alias));
    const bytes one = (bytes){0} + 1;
    int l = 0;
    ROLLED for (; l + 64 <= lanes; l += 64) {
        shorts low = {0}, high = {0};
        UNROLLED for (int i = 0; i < rows; i += 2) {
            const bytes p = *(const bytes *)(w[i] + l), q = *(const bytes *)(w[i + 1] + l);
            const bytes even = __builtin_shufflevector(p, q, 0, 64, 1, 65, 2, 66, 3, 67, 4, 68, 5, 69, 6, 70, 7, 71, 16, 80, 17, 81, 18, 82, 19, 83, 20, 84, 21, 85,
                                                       22, 86, 23, 87, 32, 96, 33, 97, 34, 98, 35, 99, 36, 100, 37, 101, 38, 102, 39, 103, 48, 112, 49, 113, 50,
                                                       114, 51, 115, 52, 116, 53, 117, 54, 118, 55, 119);
            const bytes odd = __builtin_shufflevector(p, q, 8, 72, 9, 73, 10, 74, 11, 75, 12, 76, 13, 77, 14, 78, 15, 79, 24, 88, 25, 89, 26, 90, 27, 91, 28, 92, 29,
                                                      93, 30, 94, 31, 95, 40, 104, 41, 105, 42, 106, 43, 107, 44, 108, 45, 109, 46, 110, 47, 111, 56, 120, 57, 121,
                                                      58, 122, 59, 123, 60, 124, 61, 125, 62, 126, 63, 127);
            low += (shorts)__builtin_ia32_pmaddubsw512(one, even);
            high += (shorts)__builtin_ia32_pmaddubsw512(one, odd);
        }
        *(shorts *)(to + l) += (shorts)__builtin_shufflevector((quads)low, (quads)high, 0, 1, 8, 9, 2, 3, 10, 11);
        *(shorts *)(to + l + 32) += (shorts)__builtin_shufflevector((quads)low, (quads)high, 4, 5, 12, 13, 6, 7, 14, 15);
    }
    fc_events_s8_rest(to, w, l, lanes, rows);
}
#else
INLINE void fc_events_s8_rows(int16_t *to, const int8_t *const *w, int lanes, int rows) { fc_events_s8_rest(to, w, 0, lanes, rows); }
#endif

/* As many rows at once as a sum of 16 bits allows, then fewer; gives how many. */
INLINE int fc_events_s8_many(struct fc_events_s8 a, const int32_t *index, int count, int rows) {
    const int8_t *w[ROWS_AT_ONCE];
    int at = 0;
    ROLLED for (; at + rows <= count; at += rows) {
        UNROLLED for (int i = 0; i < rows; i++) w[i] = fc_events_s8_row(a, index[at + i]);
        fc_events_s8_rows((int16_t *)a.current, w, ceil_div(a.n, B) * B, rows);
    }
    return at;
}

INLINE void fc_events_s8_add(struct fc_events_s8 a, const int32_t *index, int count) {
    const int lanes = ceil_div(a.n, B) * B;
    int at = 0;
    if (!a.wide) {
        at += fc_events_s8_many(a, index, count, ROWS_AT_ONCE);
        at += fc_events_s8_many(a, index + at, count - at, ROWS_AT_ONCE / 2);
        at += fc_events_s8_many(a, index + at, count - at, 2);
    }
    ROLLED for (; at < count; at++) {
        const int8_t *row = fc_events_s8_row(a, index[at]);
        int l = 0;
        ROLLED for (; l + PAIR <= lanes; l += PAIR) add_pair(a.current, (size_t)l, row + l, a.wide);
        if (l < lanes) add_half(a.current, (size_t)l, row + l, a.wide);
    }
}

INLINE void fc_events_s8(int begin, int end, struct fc_events_s8 a) {
    (void)begin, (void)end;
    const int blocks = ceil_div(a.n, B);
    const struct events x = events_at((int32_t *)a.x, a.steps, a.room, 0);
    struct cells_s16 c = {a.parameters, a.next, a.leak ? (float *)a.y : NULL, {0}, blocks, 1, 1, a.n, 1, 1, 0, 0, a.each, a.leak, a.above, a.reset,
                          a.shift, a.wide, a.decays, a.low, a.high};
    if (!a.leak) c.y = events_at(a.y, a.steps, a.n, 0), c.y.begin[0] = 0;
    begin_s16(c, a.v, a.current, (a.wide ? 4 : 2) * (size_t)blocks * B);
    int n = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        fc_events_s8_add(a, x.index + x.begin[t], x.begin[t + 1] - x.begin[t]);
        n = cells_s16_step(c, n, a.current);
        if (a.leak) c.dense += blocks * B;
        else c.y.begin[t + 1] = n;
    }
    if (!a.leak) c.y.begin[a.steps + 1] = 1;
    count_events(a.counts, (uint64_t)(x.begin[a.steps] - x.begin[0]) * a.n, (uint64_t)a.steps * a.n, n);
}
