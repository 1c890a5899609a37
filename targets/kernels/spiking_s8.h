/* Spiking neurons on integers: currents are exact sums of 8-bit weights, potentials have 16 bits.  edge.graph.integer_neurons is the definition.
 *
 * Two blocks of lanes go together: two neighbours of a picture, or two blocks of a dense layer. */
#ifndef EDGE_SPIKING_S8_H
#define EDGE_SPIKING_S8_H
#include "events.h"

enum { PAIR = 2 * B };
typedef int8_t hb __attribute__((vector_size(B), aligned(1), may_alias));            /* B weights */
typedef int8_t pb __attribute__((vector_size(PAIR), aligned(1), may_alias));         /* PAIR weights */
typedef int16_t hs __attribute__((vector_size(2 * B), aligned(2), may_alias));       /* B numbers of 16 bits */
typedef int16_t ps __attribute__((vector_size(2 * PAIR), aligned(2), may_alias));    /* PAIR of them */
typedef uint16_t pu __attribute__((vector_size(2 * PAIR), aligned(2), may_alias));
typedef int32_t pi __attribute__((vector_size(4 * PAIR), aligned(4), may_alias));
typedef float pf __attribute__((vector_size(4 * PAIR), aligned(4), may_alias));

INLINE ps pair_of(int16_t s) { return s - (ps){0}; }
INLINE ps pick(ps mask, ps yes, ps no) { return (mask & yes) | (~mask & no); }
INLINE ps twice(hs v) {
    ps both;
    memcpy(&both, &v, sizeof v);
    memcpy((char *)&both + sizeof v, &v, sizeof v);
    return both;
}
INLINE ps swapped(ps v) {
    ps other;
    memcpy(&other, (const char *)&v + sizeof(hs), sizeof(hs));
    memcpy((char *)&other + sizeof(hs), &v, sizeof(hs));
    return other;
}

/* the nearest number of 16 bits to a + b */
INLINE ps add_bounded(ps a, ps b) {
#if defined(__has_builtin)
#if __has_builtin(__builtin_elementwise_add_sat)
    return __builtin_elementwise_add_sat(a, b);
#endif
#endif
    const ps sum = (ps)((pu)a + (pu)b), over = ((a ^ sum) & (b ^ sum)) >> 15;
    return pick(over, (a >> 15) ^ 0x7fff, sum);
}

/* floor((v d + 2^14) / 2^15), as pmulhrsw has it */
INLINE ps part_of(ps v, ps d) {
    const pi product = __builtin_convertvector(v, pi) * __builtin_convertvector(d, pi);
    return __builtin_convertvector(((product >> 14) + 1) >> 1, ps);
}

/* A bit a lane of a mask. */
INLINE uint32_t lanes_of_pair(ps mask) {
#if defined(__AVX512BW__) && EDGE_BLOCK == 16
    typedef short wide __attribute__((vector_size(64)));
    return __builtin_ia32_cmpw512_mask((wide)mask, (wide){0}, 4, ~0u);
#elif defined(__SSE2__) && EDGE_BLOCK == 16
    typedef char half __attribute__((vector_size(16), aligned(1), may_alias));
    const pb bytes = __builtin_convertvector(mask, pb);
    const half *part = (const half *)&bytes;
    return (uint32_t)__builtin_ia32_pmovmskb128(part[0]) | (uint32_t)__builtin_ia32_pmovmskb128(part[1]) << 16;
#elif defined(__aarch64__) && EDGE_BLOCK == 4
    const uint16x8_t bit = {1, 2, 4, 8, 16, 32, 64, 128};
    return vaddvq_u16(vandq_u16((uint16x8_t)mask, bit));
#else
    uint32_t bits = 0;
    UNROLLED for (int l = 0; l < PAIR; l++) bits |= (uint32_t)(mask[l] & 1) << l;
    return bits;
#endif
}

/* Adds B or PAIR weights to currents; wide: to those of 32 bits. */
INLINE void add_half(void *plane, size_t at, const int8_t *w, int wide) {
    const hb each = *(const hb *)w;
    if (wide) *(vi *)((int32_t *)plane + at) += __builtin_convertvector(each, vi);
    else *(hs *)((int16_t *)plane + at) += __builtin_convertvector(each, hs);
}

INLINE void add_pair(void *plane, size_t at, const int8_t *w, int wide) {
    if (wide) add_half(plane, at, w, 1), add_half(plane, at + B, w + B, 1);
    else *(ps *)((int16_t *)plane + at) += __builtin_convertvector(*(const pb *)w, ps);
}

/* `lanes` of them, block after block: neighbouring spikes meet the same blocks again, and a store is only read at once by a load of its own place and size */
INLINE void add_weights(void *plane, size_t at, const int8_t *w, int lanes, int wide) {
    UNROLLED for (int l = 0; l < lanes; l += B) add_half(plane, at + l, w + l, wide);
}

enum { DECAY, MOVE, LIMIT, REST, PARAMETERS_S16 };

/* Neurons as struct cells has them.  parameters: PARAMETERS_S16 rows.  shift: of currents.  wide: currents have 32 bits.  decays: is any row DECAY not zero? */
struct cells_s16 {
    const int16_t *parameters;
    int16_t *next;
    float *dense;
    struct events y;
    int blocks, rows, columns, channels, plane_rows, plane_wide, top, left, each, leak, above, reset, shift, wide, decays, low, high;
};

struct rule {
    ps row[PARAMETERS_S16];
};

INLINE size_t in_plane_s16(struct cells_s16 c, int block, int row, int column) {
    return (((size_t)block * c.plane_rows + row + c.top) * c.plane_wide + (c.plane_wide - 1 - c.left - column)) * B;
}

/* flat: lanes of a dense layer, from `at` on.  Else two neurons of the same channels, the first one at `at` of a row of `size` lanes. */
INLINE struct rule rule_of(struct cells_s16 c, int block, size_t at, size_t size, int flat) {
    struct rule r;
    UNROLLED for (int i = 0; i < PARAMETERS_S16; i++) {
        if (c.each == 0) r.row[i] = pair_of(c.parameters[i]);
        else if (flat || c.each == 2) r.row[i] = *(const ps *)(c.parameters + i * size + at);
        else r.row[i] = twice(*(const hs *)(c.parameters + ((size_t)i * c.blocks + block) * B));
    }
    return r;
}

INLINE ps within(struct cells_s16 c, ps v) {
    if (c.low > -32768) v = pick(v < pair_of((int16_t)c.low), pair_of((int16_t)c.low), v);
    if (c.high < 32767) v = pick(v > pair_of((int16_t)c.high), pair_of((int16_t)c.high), v);
    return v;
}

/* the nearest number of 16 bits */
INLINE pi short_of(pi x) {
    const pi low = x < -32768, high = x > 32767;
    return (low & -32768) | (high & 32767) | (~(low | high) & x);
}

/* The currents of PAIR lanes, in steps of a potential. */
INLINE ps currents(struct cells_s16 c, const void *plane, size_t at) {
    if (c.wide) {
        pi x = *(const pi *)((const int32_t *)plane + at);
        return __builtin_convertvector(short_of(short_of(x) << c.shift), ps);
    }
    const ps x = *(const ps *)((const int16_t *)plane + at);
    if (!c.shift) return x;
    const ps more = (ps)((pu)x << (uint16_t)c.shift);
    return pick((more >> (int16_t)c.shift) == x, more, (x >> 15) ^ 0x7fff);
}

/* One step of PAIR lanes with the potentials v: the next ones, and whose lanes spike. */
INLINE ps step_s16(struct cells_s16 c, struct rule r, ps v, ps x, ps *fired) {
    ps kept = v;
    if (c.decays) kept = v - part_of(v, r.row[DECAY]);
    ps m = within(c, add_bounded(kept, within(c, x)));
    m = within(c, add_bounded(m, r.row[MOVE]));
    *fired = (ps){0};
    if (c.leak) return m;
    if (c.reset == RESET_DELAYED) {
        const ps was = c.above ? v > r.row[LIMIT] : v >= r.row[LIMIT];
        m = pick(was, within(c, add_bounded(m, -r.row[LIMIT])), m);
    }
    *fired = c.above ? m > r.row[LIMIT] : m >= r.row[LIMIT];
    if (c.reset == RESET_SUBTRACT) return pick(*fired, within(c, add_bounded(m, -r.row[LIMIT])), m);
    return c.reset == RESET_ZERO ? pick(*fired, r.row[REST], m) : m;
}

INLINE int listed_pair(struct events y, int n, int first, uint32_t bits) {
    while (bits) {
        y.index[n++] = first + __builtin_ctz(bits);
        bits &= bits - 1;
    }
    return n;
}

INLINE void show(float *dense, size_t at, ps m, int lanes) {
    const pf real = __builtin_convertvector(m, pf);
    memcpy(dense + at, &real, 4 * (size_t)lanes);
}

/* The neuron at `at` and, where there are two, the one behind it: potentials and currents are read, kept and cleared; gives the bits of those that spike. */
INLINE uint32_t pair_s16(struct cells_s16 c, struct rule r, size_t at, void *plane, size_t in, int two, int turned) {
    const size_t each = c.wide ? 4 : 2;
    ps v = {0}, x = currents(c, plane, in), fired;
    if (two) v = *(const ps *)(c.next + at), memset((char *)plane + in * each, 0, each * PAIR);
    else *(hs *)&v = *(const hs *)(c.next + at), memset((char *)plane + in * each, 0, each * B);
    v = step_s16(c, r, v, two && turned ? swapped(x) : x, &fired);
    if (two) *(ps *)(c.next + at) = v;
    else *(hs *)(c.next + at) = *(hs *)&v;
    if (c.dense) show(c.dense, at, v, two ? PAIR : B);
    return lanes_of_pair(fired);
}

/* the parameters of one neuron, twice */
INLINE struct rule rule_of_one(struct cells_s16 c, size_t at, size_t size) {
    struct rule r;
    UNROLLED for (int i = 0; i < PARAMETERS_S16; i++) r.row[i] = twice(*(const hs *)(c.parameters + i * size + at));
    return r;
}

/* One step of all neurons of a picture; the currents are then zeros again. */
INLINE int picture_s16(struct cells_s16 c, int n, void *plane) {
    const size_t size = (size_t)c.blocks * c.rows * c.columns * B;
    ROLLED for (int block = 0; block < c.blocks; block++) {
        struct rule r = {0};
        if (c.each < 2) r = rule_of(c, block, 0, size, 0);
        const uint32_t one = c.channels % B && block == c.blocks - 1 ? (1u << c.channels % B) - 1 : (uint32_t)((1ull << B) - 1);
        ROLLED for (int row = 0; row < c.rows; row++) {
            size_t at = ((size_t)block * c.rows + row) * c.columns * B, in = in_plane_s16(c, block, row, 1);
            ROLLED for (int pair = 0; pair < c.columns / 2; pair++, at += PAIR, in -= PAIR) {
                if (c.each == 2) r = rule_of(c, block, at, size, 0);
                const uint32_t bits = pair_s16(c, r, at, plane, in, 1, 1) & (one | one << B);
                if (bits) n = listed_pair(c.y, n, (int)at, bits);
            }
            if (c.columns % 2) {
                if (c.each == 2) r = rule_of_one(c, at, size);
                const uint32_t bits = pair_s16(c, r, at, plane, in + B, 0, 0) & one;
                if (bits) n = listed_pair(c.y, n, (int)at, bits);
            }
        }
    }
    return n;
}

/* The same of a dense layer of blocks * B lanes. */
INLINE int dense_s16(struct cells_s16 c, int n, void *plane) {
    const size_t size = (size_t)c.blocks * B;
    size_t at = 0;
    ROLLED for (; at + PAIR <= size; at += PAIR) {
        uint32_t bits = pair_s16(c, rule_of(c, 0, at, size, 1), at, plane, at, 1, 0);
        if (c.channels < (int)at + PAIR) bits &= (uint32_t)((1ull << (c.channels - (int)at)) - 1);
        if (bits) n = listed_pair(c.y, n, (int)at, bits);
    }
    if (at < size) {
        const struct rule r = c.each == 0 ? rule_of(c, 0, at, size, 1) : rule_of_one(c, at, size);
        const uint32_t bits = pair_s16(c, r, at, plane, at, 0, 0) & (uint32_t)((1ull << (c.channels - (int)at)) - 1);
        if (bits) n = listed_pair(c.y, n, (int)at, bits);
    }
    return n;
}

/* planes: bytes of the currents, and of the room behind them that a pair may read */
INLINE void begin_s16(struct cells_s16 c, const int16_t *v, void *plane, size_t bytes) {
    const size_t kept = 2 * (size_t)c.blocks * c.rows * c.columns * B;
    if (!v) memset(c.next, 0, kept);
    else if (v != c.next) memcpy(c.next, v, kept);
    memset(plane, 0, bytes);
}
#endif
