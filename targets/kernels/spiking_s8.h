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

/* Adds weights to currents; wide: those of 32 bits. */
INLINE void add_weights(void *plane, size_t at, const int8_t *w, int lanes, int wide) {
    UNROLLED for (int l = 0; l < lanes; l += l + PAIR <= lanes ? PAIR : B) {
        if (wide) {
            vi *to = (vi *)((int32_t *)plane + at + l);
            *to += __builtin_convertvector(*(const hb *)(w + l), vi);
            if (l + PAIR <= lanes) to[1] += __builtin_convertvector(*(const hb *)(w + l + B), vi);
        } else if (l + PAIR <= lanes) *(ps *)((int16_t *)plane + at + l) += __builtin_convertvector(*(const pb *)(w + l), ps);
        else *(hs *)((int16_t *)plane + at + l) += __builtin_convertvector(*(const hb *)(w + l), hs);
    }
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

/* One step of all neurons of a picture; the currents are then zeros again. */
INLINE int picture_s16(struct cells_s16 c, int n, void *plane) {
    const size_t size = (size_t)c.blocks * c.rows * c.columns * B, each = c.wide ? 4 : 2;
    ROLLED for (int block = 0; block < c.blocks; block++) {
        struct rule r = rule_of(c, block, 0, size, 0);
        const uint32_t one = c.channels % B && block == c.blocks - 1 ? (1u << c.channels % B) - 1 : (uint32_t)((1ull << B) - 1);
        ROLLED for (int row = 0; row < c.rows; row++) {
            const size_t from = ((size_t)block * c.rows + row) * c.columns * B, currents_from = in_plane_s16(c, block, row, 0);
            ROLLED for (int column = 0; column < c.columns; column += 2) {
                const int both = column + 1 < c.columns, lanes = both ? PAIR : B;
                const size_t at = from + (size_t)column * B, in = currents_from - (size_t)(column + both) * B;
                ps v = {0}, x, fired;
                if (c.each == 2 && both) r = rule_of(c, block, at, size, 0);
                else if (c.each == 2) UNROLLED for (int i = 0; i < PARAMETERS_S16; i++) r.row[i] = twice(*(const hs *)(c.parameters + i * size + at));
                if (both) v = *(const ps *)(c.next + at), x = swapped(currents(c, plane, in));
                else memcpy(&v, c.next + at, 2 * B), x = currents(c, plane, in);
                memset((char *)plane + in * each, 0, each * (size_t)lanes);
                v = step_s16(c, r, v, x, &fired);
                memcpy(c.next + at, &v, 2 * (size_t)lanes);
                if (c.dense) show(c.dense, at, v, lanes);
                const uint32_t bits = lanes_of_pair(fired) & (both ? one | one << B : one);
                if (bits) n = listed_pair(c.y, n, (int)at, bits);
            }
        }
    }
    return n;
}

/* The same of a dense layer of blocks * B lanes. */
INLINE int dense_s16(struct cells_s16 c, int n, void *plane) {
    const size_t size = (size_t)c.blocks * B, each = c.wide ? 4 : 2;
    ROLLED for (size_t at = 0; at < size; at += PAIR) {
        const int lanes = at + PAIR <= size ? PAIR : B, left = c.channels - (int)at;
        struct rule r;
        ps v = {0}, fired, x;
        if (lanes == PAIR || c.each == 0) r = rule_of(c, 0, at, size, 1);
        else UNROLLED for (int i = 0; i < PARAMETERS_S16; i++) r.row[i] = twice(*(const hs *)(c.parameters + i * size + at));
        memcpy(&v, c.next + at, 2 * (size_t)lanes);
        x = currents(c, plane, at);
        memset((char *)plane + at * each, 0, each * (size_t)lanes);
        v = step_s16(c, r, v, x, &fired);
        memcpy(c.next + at, &v, 2 * (size_t)lanes);
        if (c.dense) show(c.dense, at, v, lanes);
        uint32_t bits = lanes_of_pair(fired);
        if (left < PAIR) bits &= (uint32_t)((1ull << left) - 1);
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
