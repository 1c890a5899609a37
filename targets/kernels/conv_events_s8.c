/* Convolution with 8-bit weights and its neurons, driven by spikes.  x: a list of steps of (channels, h * wide) whose spikes are 1.
 * groups == 1: w is (channels, kh, kw, O/B, B); else (channels, kh, kw, outputs of a group).  current: a plane, see struct cells. */
#include "spiking_s8.h"

struct conv_events_s8 {
    const int32_t *x;
    const int8_t *w;
    const int16_t *parameters, *v;
    const int32_t *table;
    int32_t *y;
    int16_t *next;
    int32_t *current;
    uint64_t *counts;
    int steps, channels, h, wide, room, outputs, groups, oh, ow, kh, kw, sh, sw, dh, dw, top, left;
    int plane_rows, plane_wide, plane_top, plane_left, each, leak, above, reset, shift, wide_sums, decays, low, high;
};

/* Adds the weights of one spike; gives the taps that meet an output.  table: of each pixel where its first tap goes, and how many taps meet an output. */
INLINE int conv_events_s8_one(struct conv_events_s8 a, struct cells_s16 c, int place) {
    const int size = a.h * a.wide, pixel = pixel_of(place, size), channel = channel_of(place, size), taps = a.kh * a.kw, all = c.blocks * B;
    if (a.table) {
        const int8_t *w = a.w + (size_t)channel * taps * all;
        size_t to = (size_t)a.table[2 * pixel];
        for (int ky = 0; ky < a.kh; ky++, to -= (size_t)a.dh * c.plane_wide * all) {
            UNROLL4 for (int kx = 0; kx < a.kw; kx++) add_weights(a.current, to - (size_t)kx * a.dw * all, w + (size_t)kx * all, all, a.wide_sums);
            w += (size_t)a.kw * all;
        }
        return a.table[2 * pixel + 1];
    }
    const int y = pixel / a.wide + a.top, x = pixel % a.wide + a.left;
    const int out = a.outputs / a.groups, first = channel / (a.channels / a.groups) * out;
    const int8_t *w = a.w + (size_t)channel * taps * (a.groups == 1 ? all : out);
    for (int ky = 0; ky < a.kh; ky++) {
        const int oy = y - ky * a.dh;
        if (a.sh > 1 && oy % a.sh) continue;
        for (int kx = 0; kx < a.kw; kx++) {
            const int ox = x - kx * a.dw, tap = ky * a.kw + kx;
            if (a.sw > 1 && ox % a.sw) continue;
            if (a.groups == 1) add_weights(a.current, in_plane_s16(c, 0, oy / a.sh, ox / a.sw), w + (size_t)tap * all, all, a.wide_sums);
            for (int o = 0; a.groups > 1 && o < out; o++) {
                const size_t at = in_plane_s16(c, (first + o) / B, oy / a.sh, ox / a.sw) + (first + o) % B;
                if (a.wide_sums) a.current[at] += w[(size_t)tap * out + o];
                else ((int16_t *)a.current)[at] += w[(size_t)tap * out + o];
            }
        }
    }
    return taps_met(y, a.kh, a.dh, a.sh, a.oh) * taps_met(x, a.kw, a.dw, a.sw, a.ow);
}

INLINE void conv_events_s8(int begin, int end, struct conv_events_s8 a) {
    (void)begin, (void)end;
    const int blocks = ceil_div(a.outputs, B), size = a.oh * a.ow;
    const struct events x = events_at((int32_t *)a.x, a.steps, a.room, 0);
    struct cells_s16 c = {a.parameters, a.next, a.leak ? (float *)a.y : NULL, {0}, blocks, a.oh, a.ow, a.outputs, a.plane_rows, a.plane_wide,
                          a.plane_top, a.plane_left, a.each, a.leak, a.above, a.reset, a.shift, a.wide_sums, a.decays, a.low, a.high};
    if (!a.leak) c.y = events_at(a.y, a.steps, a.outputs * size, 0), c.y.begin[0] = 0;
    begin_s16(c, a.v, a.current, (a.wide_sums ? 4 : 2) * (size_t)blocks * a.plane_rows * a.plane_wide * B);
    int n = 0;
    uint64_t taps = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        ROLLED for (int i = x.begin[t]; i < x.begin[t + 1]; i++) taps += conv_events_s8_one(a, c, x.index[i]);
        n = cells_s16_step(c, n, a.current);
        if (a.leak) c.dense += (size_t)blocks * size * B;
        else c.y.begin[t + 1] = n;
    }
    if (!a.leak) c.y.begin[a.steps + 1] = 1;
    count_events(a.counts, taps * (a.outputs / a.groups), (uint64_t)a.steps * a.outputs * size, n);
}
