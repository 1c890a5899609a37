/* Convolution and its neurons, driven by spikes: each spike adds the weights that it meets to the currents around it.
 *
 * x: a list of steps of (channels, h * wide).  groups == 1: w is (channels, O/B, kh, kw, B); else (channels, kh, kw, outputs of a group).
 * y: a list of steps of (O, oh * ow), or the potentials of every step where they leak and do not spike.  current: scratch. */
#include "events.h"

struct conv_events_f32 {
    const int32_t *x;
    const float *w, *parameters, *v;
    int32_t *y;
    float *next, *current;
    uint64_t *counts;
    int steps, channels, h, wide, valued, room, outputs, groups, oh, ow, kh, kw, sh, sw, dh, dw, top, left, each, leak, above, reset, multi;
};

/* Where tap `k` of an input at `at` goes, -1 for nowhere. */
INLINE int conv_events_to(int at, int pad, int k, int dilation, int stride, int size) {
    const int moved = at + pad - k * dilation;
    if (moved < 0 || (stride > 1 && moved % stride)) return -1;
    return moved / stride < size ? moved / stride : -1;
}

/* Adds the weights of one spike; gives the taps that meet an output. */
INLINE int conv_events_one(struct conv_events_f32 a, int place, float value, int ones) {
    const int size = a.h * a.wide, pixel = pixel_of(place, size), channel = channel_of(place, size), y = pixel / a.wide, x = pixel % a.wide;
    const int blocks = ceil_div(a.outputs, B), out = a.outputs / a.groups, first = channel / (a.channels / a.groups) * out;
    int taps = 0;
    ROLLED for (int ky = 0; ky < a.kh; ky++) {
        const int oy = conv_events_to(y, a.top, ky, a.dh, a.sh, a.oh);
        if (oy < 0) continue;
        ROLLED for (int kx = 0; kx < a.kw; kx++) {
            const int ox = conv_events_to(x, a.left, kx, a.dw, a.sw, a.ow);
            if (ox < 0) continue;
            taps++;
            const int to = oy * a.ow + ox, tap = ky * a.kw + kx;
            if (a.groups > 1) {
                const float *w = a.w + ((size_t)channel * a.kh * a.kw + tap) * out;
                ROLLED for (int o = 0; o < out; o++) a.current[place_of(first + o, to, a.oh * a.ow)] += ones ? w[o] : w[o] * value;
                continue;
            }
            const float *w = a.w + ((size_t)channel * blocks * a.kh * a.kw + tap) * B;
            for (int block = 0; block < blocks; block++) {
                float *current = a.current + ((size_t)block * a.oh * a.ow + to) * B;
                vf each = load(w + (size_t)block * a.kh * a.kw * B);
                if (!ones) each = each * value;
                store(current, load(current) + each);
            }
        }
    }
    return taps;
}

INLINE void conv_events_f32(int begin, int end, struct conv_events_f32 a) {
    (void)begin, (void)end;
    const int blocks = ceil_div(a.outputs, B), size = a.oh * a.ow, ones = all_ones(a.x, a.steps, a.valued);
    const struct events x = events_at((int32_t *)a.x, a.steps, a.room, a.valued);
    float *dense = a.leak && a.next ? (float *)a.y : NULL;
    struct cells c = {a.parameters, a.leak && !a.next ? (float *)a.y : a.next, dense, {0}, blocks, size, a.outputs,
                      a.each, a.leak, a.above, a.reset, a.multi};
    if (!a.leak) c.y = events_at(a.y, a.steps, a.outputs * size, a.multi), c.y.begin[0] = 0;
    cells_begin(c, a.v, a.current);
    int n = 0;
    uint64_t taps = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        ROLLED for (int i = x.begin[t]; i < x.begin[t + 1]; i++) {
            if (ones) taps += conv_events_one(a, x.index[i], 1.0f, 1);
            else taps += conv_events_one(a, x.index[i], x.value[i], 0);
        }
        n = cells_step(c, n, a.current);
        if (c.dense) c.dense += (size_t)blocks * size * B;
        if (!a.leak) c.y.begin[t + 1] = n;
    }
    if (!a.leak) c.y.begin[a.steps + 1] = !a.multi;
    count_events(a.counts, taps * (a.outputs / a.groups), (uint64_t)a.steps * a.outputs * size, n);
}
