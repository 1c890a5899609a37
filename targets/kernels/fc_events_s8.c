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

/* four at a time: currents are loaded and stored once for them */
INLINE void fc_events_s8_add(struct fc_events_s8 a, const int32_t *index, int count) {
    const int lanes = ceil_div(a.n, B) * B;
    ROLLED for (; !a.wide && count >= 4; count -= 4, index += 4) {
        const int8_t *p = fc_events_s8_row(a, index[0]), *q = fc_events_s8_row(a, index[1]);
        const int8_t *r = fc_events_s8_row(a, index[2]), *s = fc_events_s8_row(a, index[3]);
        int16_t *to = (int16_t *)a.current;
        int l = 0;
        ROLLED for (; l + PAIR <= lanes; l += PAIR) {
            const ps first = __builtin_convertvector(*(const pb *)(p + l), ps) + __builtin_convertvector(*(const pb *)(q + l), ps);
            const ps second = __builtin_convertvector(*(const pb *)(r + l), ps) + __builtin_convertvector(*(const pb *)(s + l), ps);
            *(ps *)(to + l) += first + second;
        }
        if (l < lanes) {
            const hs first = __builtin_convertvector(*(const hb *)(p + l), hs) + __builtin_convertvector(*(const hb *)(q + l), hs);
            const hs second = __builtin_convertvector(*(const hb *)(r + l), hs) + __builtin_convertvector(*(const hb *)(s + l), hs);
            *(hs *)(to + l) += first + second;
        }
    }
    ROLLED for (; count > 0; count--, index++) {
        const int8_t *w = fc_events_s8_row(a, *index);
        int l = 0;
        ROLLED for (; l + PAIR <= lanes; l += PAIR) add_pair(a.current, (size_t)l, w + l, a.wide);
        if (l < lanes) add_half(a.current, (size_t)l, w + l, a.wide);
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
