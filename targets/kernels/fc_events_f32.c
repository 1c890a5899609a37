/* Dense synapses and their neurons, driven by spikes: of each step only the weights of the inputs that spike are read.
 *
 * x: a list of steps of (channels, pixels).  w: (channels * pixels, N/B, B), a row an input in the order of ONNX.  y: a list, or the potentials of
 * every step where they leak and do not spike.  current: scratch. */
#include "events.h"

struct fc_events_f32 {
    const int32_t *x;
    const float *w, *parameters, *v;
    int32_t *y;
    float *next, *current;
    uint64_t *counts;
    int steps, channels, pixels, valued, room, n, each, leak, above, reset, multi;
};

INLINE const float *fc_events_row(struct fc_events_f32 a, int place) {
    const int row = a.pixels == 1 ? place : channel_of(place, a.pixels) * a.pixels + pixel_of(place, a.pixels);
    return a.w + (size_t)row * (ceil_div(a.n, B) * B);
}

INLINE void fc_events_one(struct fc_events_f32 a, int place, float value, int ones) {
    const float *w = fc_events_row(a, place);
    for (int j = 0; j < a.n; j += B) {
        vf each = load(w + j);
        if (!ones) each = each * value;
        store(a.current + j, load(a.current + j) + each);
    }
}

/* four spikes of 1 together: currents are loaded and stored once for them; gives how many are done */
INLINE int fc_events_fours(struct fc_events_f32 a, struct events x, int from, int to) {
    ROLLED for (; from + 4 <= to; from += 4) {
        const float *p = fc_events_row(a, x.index[from]), *q = fc_events_row(a, x.index[from + 1]);
        const float *r = fc_events_row(a, x.index[from + 2]), *s = fc_events_row(a, x.index[from + 3]);
        for (int j = 0; j < a.n; j += B) {
            vf first = load(p + j) + load(q + j), second = load(r + j) + load(s + j);
            first = first + second;
            store(a.current + j, load(a.current + j) + first);
        }
    }
    return from;
}

INLINE void fc_events_add(struct fc_events_f32 a, struct events x, int from, int to, int ones) {
    if (ones) from = fc_events_fours(a, x, from, to);
    ROLLED for (; from < to; from++) fc_events_one(a, x.index[from], ones ? 1.0f : x.value[from], ones);
}

INLINE void fc_events_f32(int begin, int end, struct fc_events_f32 a) {
    (void)begin, (void)end;
    const int blocks = ceil_div(a.n, B), ones = all_ones(a.x, a.steps, a.valued);
    const struct events x = events_at((int32_t *)a.x, a.steps, a.room, a.valued);
    float *dense = a.leak && a.next ? (float *)a.y : NULL;
    struct cells c = {a.parameters, a.leak && !a.next ? (float *)a.y : a.next, dense, {0}, blocks, 1, 1, a.n, 1, 1, 0, 0,
                      a.each, a.leak, a.above, a.reset, a.multi};
    if (!a.leak) c.y = events_at(a.y, a.steps, a.n, a.multi), c.y.begin[0] = 0;
    cells_begin(c, a.v, a.current);
    int n = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        if (ones) fc_events_add(a, x, x.begin[t], x.begin[t + 1], 1);
        else fc_events_add(a, x, x.begin[t], x.begin[t + 1], 0);
        n = cells_step(c, n, a.current);
        if (c.dense) c.dense += blocks * B;
        if (!a.leak) c.y.begin[t + 1] = n;
    }
    if (!a.leak) c.y.begin[a.steps + 1] = !a.multi;
    count_events(a.counts, (uint64_t)(x.begin[a.steps] - x.begin[0]) * a.n, (uint64_t)a.steps * a.n, n);
}
