/* Spikes as lists, and neurons that read a current and write such a list.
 *
 * A list of T steps of N places: begin[0 … T] (begin[0] = 0), one word `ones`, then T * N places and, where it is `valued`, as many values behind them.  Step t has
 * the places index[begin[t]] to index[begin[t + 1] - 1]; a place may come twice, its values then add up.  ones: every value is 1, and none is looked at.
 * Behind the last place, or value, are B words that nobody reads.  A place is an element of (C/B, pixels, B), the channel-blocked form of one step. */
#ifndef EDGE_EVENTS_H
#define EDGE_EVENTS_H
#include "vector.h"

typedef float listed __attribute__((may_alias));

struct events {
    int32_t *begin, *index;
    listed *value; /* NULL where every spike is 1 */
};

/* places: of one step */
INLINE struct events events_at(int32_t *list, int steps, int places, int valued) {
    int32_t *index = list + steps + 2;
    return (struct events){list, index, valued ? (listed *)(index + (size_t)steps * places) : NULL};
}

INLINE int all_ones(const int32_t *list, int steps, int valued) { return !valued || list[steps + 1]; }

/* place -> channel and pixel */
INLINE int channel_of(int place, int pixels) { return (int)((unsigned)place / (unsigned)(pixels * B) * B + (unsigned)place % B); }
INLINE int pixel_of(int place, int pixels) { return (int)((unsigned)place / B % (unsigned)pixels); }
INLINE int place_of(int channel, int pixel, int pixels) { return (channel / B * pixels + pixel) * B + channel % B; }

/* A bit a lane of a mask whose lanes are all ones or all zeros. */
INLINE uint32_t lanes_of(vi mask) {
#if defined(__AVX512F__) && EDGE_BLOCK == 16
    typedef int wide __attribute__((vector_size(64)));
    return __builtin_ia32_cmpd512_mask((wide)mask, (wide){0}, 4, (unsigned short)-1);
#elif defined(__AVX__) && EDGE_BLOCK == 16
    typedef float half __attribute__((vector_size(32), aligned(4), may_alias));
    const half *part = (const half *)&mask;
    return (uint32_t)__builtin_ia32_movmskps256(part[0]) | (uint32_t)__builtin_ia32_movmskps256(part[1]) << 8;
#elif defined(__aarch64__) && EDGE_BLOCK == 4
    const uint32x4_t bit = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32((uint32x4_t)mask, bit));
#else
    uint32_t bits = 0;
    UNROLLED for (int l = 0; l < B; l++) bits |= (uint32_t)(mask[l] & 1) << l;
    return bits;
#endif
}

/* Puts the lanes of `bits` behind the n places that are listed; first: the place of lane 0, step: to the next one.  A list has room for B words behind its end. */
INLINE int listed_every(struct events y, int n, int first, int step, uint32_t bits, vf value) {
#if defined(__AVX512F__) && EDGE_BLOCK == 16
    if (!y.value) {
        typedef int wide __attribute__((vector_size(64), aligned(4), may_alias));
        const wide lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        *(wide *)(y.index + n) = __builtin_ia32_compresssi512_mask(lane * step + first, (wide){0}, (unsigned short)bits);
        return n + __builtin_popcount(bits);
    }
#endif
    while (bits) {
        const int lane = __builtin_ctz(bits);
        y.index[n] = first + lane * step;
        if (y.value) y.value[n] = value[lane];
        n++;
        bits &= bits - 1;
    }
    return n;
}

/* Is it quicker to list what may be nothing than to ask whether it is?  Which lanes spike is not to be foreseen, so that asking costs a wrong guess now and then. */
INLINE int lists_blindly(struct events y) {
#if defined(__AVX512F__) && EDGE_BLOCK == 16
    return y.index && !y.value;
#else
    (void)y;
    return 0;
#endif
}

INLINE int listed_lanes(struct events y, int n, int first, uint32_t bits, vf value) { return listed_every(y, n, first, 1, bits, value); }

enum reset { RESET_ZERO, RESET_SUBTRACT, RESET_DELAYED, RESET_NONE };
enum { A, B_IN, C_IN, THRESHOLD, V_RESET, BIAS, PARAMETERS };

/* Neurons of (blocks, rows, wide, B).  parameters: PARAMETERS rows, each of one number (each == 0), of a number a channel (1) or a neuron (2).
 * next: their potentials, read and written.  Exactly one of y.begin and dense is written: spikes, or the potentials of every step.
 * Their currents lie in a plane (plane_rows, plane_wide, blocks, B) with room around them, so that no spike at the border asks whether its neighbours are
 * there: the first neuron lies in row `top` and column `left`. */
struct cells {
    const float *parameters;
    float *next, *dense;
    struct events y;
    int blocks, rows, wide, channels, plane_rows, plane_wide, top, left, each, leak, above, reset, multi;
};

INLINE size_t in_plane(struct cells c, int block, int row, int column) {
    return (((size_t)(row + c.top) * c.plane_wide + c.left + column) * c.blocks + block) * B;
}

INLINE vf parameter(struct cells c, int row, int block, int pixel) {
    if (c.each == 0) return splat(c.parameters[row]);
    if (c.each == 1) return load(c.parameters + ((size_t)row * c.blocks + block) * B);
    return load(c.parameters + (((size_t)row * c.blocks + block) * (c.rows * c.wide) + pixel) * B);
}

INLINE vf spikes_at(vf v, vf threshold, struct cells c) {
    if (!c.multi) return choose(c.above ? v > threshold : v >= threshold, splat(1.0f), splat(0.0f));
    vf times = v / threshold;
    if (c.above) times = -vfloor(-times) - 1.0f;
    else times = vfloor(times);
    return vmax(times, splat(0.0f));
}

/* One step of one block: x is its current; every product is rounded by itself, as the definition does it. */
INLINE int cell_step(struct cells c, int n, int block, int pixel, vf x) {
    const size_t at = ((size_t)block * (c.rows * c.wide) + pixel) * B;
    const vf v = load(c.next + at), threshold = parameter(c, THRESHOLD, block, pixel);
    vf m = v * parameter(c, A, block, pixel), charge = x * parameter(c, B_IN, block, pixel);
    m = m + charge;
    m = m + parameter(c, C_IN, block, pixel);
    if (c.leak) {
        store(c.next + at, m);
        if (c.dense) store(c.dense + at, m);
        return n;
    }
    if (c.reset == RESET_DELAYED) {
        vf late = spikes_at(v, threshold, c) * threshold;
        m = m - late;
    }
    const vf s = spikes_at(m, threshold, c);
    const vi fired = s > splat(0.0f);
    uint32_t bits = lanes_of(fired);
    if (c.channels % B && block == c.blocks - 1) bits &= (1u << c.channels % B) - 1;
    if (c.reset == RESET_SUBTRACT) {
        vf taken = s * threshold;
        m = m - taken;
    } else if (c.reset == RESET_ZERO) m = choose(fired, parameter(c, V_RESET, block, pixel), m);
    store(c.next + at, m);
    return bits || lists_blindly(c.y) ? listed_lanes(c.y, n, (int)at, bits, s) : n;
}

/* One step of all neurons, whose currents lie in `plane`; they are then the bias again. */
INLINE int cells_step(struct cells c, int n, float *plane) {
    ROLLED for (int block = 0; block < c.blocks; block++) {
        ROLLED for (int row = 0; row < c.rows; row++) {
            float *x = plane + in_plane(c, block, row, 0);
            ROLLED for (int column = 0; column < c.wide; column++, x += (size_t)c.blocks * B) {
                const int pixel = row * c.wide + column;
                const vf now = load(x);
                store(x, parameter(c, BIAS, block, pixel));
                n = cell_step(c, n, block, pixel, now);
            }
        }
    }
    return n;
}

INLINE void cells_begin(struct cells c, const float *v, float *plane) {
    const size_t bytes = 4 * (size_t)c.blocks * c.rows * c.wide * B;
    if (!v) memset(c.next, 0, bytes);
    else if (v != c.next) memcpy(c.next, v, bytes);
    if (!plane) return;
    memset(plane, 0, 4 * (size_t)c.blocks * c.plane_rows * c.plane_wide * B);
    ROLLED for (int block = 0; block < c.blocks; block++) {
        ROLLED for (int row = 0; row < c.rows; row++) {
            float *x = plane + in_plane(c, block, row, 0);
            ROLLED for (int column = 0; column < c.wide; column++) store(x + (size_t)column * c.blocks * B, parameter(c, BIAS, block, row * c.wide + column));
        }
    }
}

/* How many of the taps k, of an input that is at `at` behind the padding, meet one of `size` outputs. */
INLINE int taps_met(int at, int taps, int dilation, int stride, int size) {
    if (dilation == 1 && stride == 1) return most(0, least(taps - 1, at) - most(0, at - size + 1) + 1);
    int met = 0;
    for (int k = 0; k < taps; k++) {
        const int to = at - k * dilation;
        met += to >= 0 && to % stride == 0 && to / stride < size;
    }
    return met;
}

/* Adds to the counters of a step: synaptic operations, updates of a neuron, spikes. */
INLINE void count_events(uint64_t *counts, uint64_t synops, uint64_t updates, uint64_t spikes) {
    if (!counts) return;
    counts[0] += synops;
    counts[1] += updates;
    counts[2] += spikes;
}
#endif
