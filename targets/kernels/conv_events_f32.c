/* Convolution and its neurons, driven by spikes: each spike adds the weights that it meets to the currents around it.
 *
 * x: a list of steps of (channels, h * wide).  groups == 1: w is (channels, kh, kw, O/B, B); else (channels, kh, kw, outputs of a group).
 * y: a list of steps of (O, oh * ow), or the potentials of every step where they leak and do not spike.  current: a plane, see
 * struct cells. */
#include "events.h"

struct conv_events_f32 {
    const int32_t *x;
    const float *w, *parameters, *v;
    const int32_t *table;
    int32_t *y;
    float *next, *current;
    uint64_t *counts;
    int steps, channels, h, wide, valued, room, outputs, groups, oh, ow, kh, kw, sh, sw, dh, dw, top, left;
    int plane_rows, plane_wide, plane_top, plane_left, each, leak, above, reset, multi;
};

INLINE void conv_events_run(float *to, const float *w, int lanes, float value, int ones) {
    UNROLL4 for (int l = 0; l < lanes; l += B) {
        vf each = load(w + l);
        if (!ones) each = each * value;
        store(to + l, load(to + l) + each);
    }
}

/* Adds the weights of one spike; gives the taps that meet an output.  table: of each pixel where its first tap goes, and how many taps meet an output. */
INLINE int conv_events_one(struct conv_events_f32 a, struct cells c, int place, float value, int ones) {
    const int size = a.h * a.wide, pixel = pixel_of(place, size), channel = channel_of(place, size), taps = a.kh * a.kw, all = c.blocks * B;
    if (a.table) {
        const float *w = a.w + (size_t)channel * taps * all;
        float *to = a.current + a.table[2 * pixel];
        for (int ky = 0; ky < a.kh; ky++, to -= (size_t)a.dh * c.plane_wide * all) {
            UNROLL4 for (int kx = 0; kx < a.kw; kx++) conv_events_run(to - (size_t)kx * a.dw * all, w + (size_t)kx * all, all, value, ones);
            w += (size_t)a.kw * all;
        }
        return a.table[2 * pixel + 1];
    }
    const int y = pixel / a.wide + a.top, x = pixel % a.wide + a.left;
    const int out = a.outputs / a.groups, first = channel / (a.channels / a.groups) * out;
    const float *w = a.w + (size_t)channel * taps * (a.groups == 1 ? all : out);
    for (int ky = 0; ky < a.kh; ky++) {
        const int oy = y - ky * a.dh;
        if (a.sh > 1 && oy % a.sh) continue;
        for (int kx = 0; kx < a.kw; kx++) {
            const int ox = x - kx * a.dw, tap = ky * a.kw + kx;
            if (a.sw > 1 && ox % a.sw) continue;
            if (a.groups == 1) conv_events_run(a.current + in_plane(c, 0, oy / a.sh, ox / a.sw), w + (size_t)tap * all, all, value, ones);
            for (int o = 0; a.groups > 1 && o < out; o++) {
                float each = w[(size_t)tap * out + o];
                if (!ones) each = each * value;
                a.current[in_plane(c, (first + o) / B, oy / a.sh, ox / a.sw) + (first + o) % B] += each;
            }
        }
    }
    return taps_met(y, a.kh, a.dh, a.sh, a.oh) * taps_met(x, a.kw, a.dw, a.sw, a.ow);
}

INLINE void conv_events_f32(int begin, int end, struct conv_events_f32 a) {
    (void)begin, (void)end;
    const int blocks = ceil_div(a.outputs, B), size = a.oh * a.ow, ones = all_ones(a.x, a.steps, a.valued);
    const struct events x = events_at((int32_t *)a.x, a.steps, a.room, a.valued);
    float *dense = a.leak && a.next ? (float *)a.y : NULL;
    struct cells c = {a.parameters, a.leak && !a.next ? (float *)a.y : a.next, dense, {0}, blocks, a.oh, a.ow, a.outputs, a.plane_rows, a.plane_wide,
                      a.plane_top, a.plane_left, a.each, a.leak, a.above, a.reset, a.multi};
    if (!a.leak) c.y = events_at(a.y, a.steps, a.outputs * size, a.multi), c.y.begin[0] = 0;
    cells_begin(c, a.v, a.current);
    int n = 0;
    uint64_t taps = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        if (ones) {
            ROLLED for (int i = x.begin[t]; i < x.begin[t + 1]; i++) taps += conv_events_one(a, c, x.index[i], 1.0f, 1);
        } else {
            ROLLED for (int i = x.begin[t]; i < x.begin[t + 1]; i++) taps += conv_events_one(a, c, x.index[i], x.value[i], 0);
        }
        n = cells_step(c, n, a.current);
        if (c.dense) c.dense += (size_t)blocks * size * B;
        if (!a.leak) c.y.begin[t + 1] = n;
    }
    if (!a.leak) c.y.begin[a.steps + 1] = !a.multi;
    count_events(a.counts, taps * (a.outputs / a.groups), (uint64_t)a.steps * a.outputs * size, n);
}
