/* Spiking neurons on integers: currents are exact sums of 8-bit weights, potentials have 16 bits.  edge.graph.integer_neurons is the definition.
 *
 * Two blocks of lanes go together: of one pixel, or of two neighbours. */
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
INLINE ps joined(hs first, hs second) {
    ps both;
    memcpy(&both, &first, sizeof first);
    memcpy((char *)&both + sizeof first, &second, sizeof second);
    return both;
}

/* Two blocks at `at` and `other`; together: the second one lies behind the first. */
INLINE ps load_two(const int16_t *p, size_t at, size_t other, int together) {
    if (together) return *(const ps *)(p + at);
    return joined(*(const hs *)(p + at), *(const hs *)(p + other));
}

INLINE void store_two(int16_t *p, size_t at, size_t other, int together, ps v) {
    if (together) *(ps *)(p + at) = v;
    else {
        memcpy(p + at, &v, sizeof(hs));
        if (other != at) memcpy(p + other, (const char *)&v + sizeof(hs), sizeof(hs));
    }
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

/* floor((v d + 2^14) / 2^15) for d >= 0: one instruction where there are 16-bit products that round */
INLINE ps part_of(ps v, ps d) {
#if defined(__clang__) && defined(__AVX512BW__) && EDGE_BLOCK == 16
    typedef short wide __attribute__((vector_size(64)));
    return (ps)__builtin_ia32_pmulhrsw512((wide)v, (wide)d);
#elif defined(__aarch64__) && EDGE_BLOCK == 4
    return (ps)vqrdmulhq_s16((int16x8_t)v, (int16x8_t)d);
#endif
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

/* `lanes` of them, whole blocks */
INLINE void add_weights(void *plane, size_t at, const int8_t *w, int lanes, int wide) {
    UNROLL4 for (int l = 0; l + PAIR <= lanes; l += PAIR) add_pair(plane, at + l, w + l, wide);
    if (lanes % PAIR) add_half(plane, at + lanes - B, w + lanes - B, wide);
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
    return (((size_t)(row + c.top) * c.plane_wide + c.left + column) * c.blocks + block) * B;
}

/* The parameters of two blocks of lanes, `at` and `other` of a row of `size`: of channels where they have one each, else of neurons. */
INLINE struct rule rule_of(struct cells_s16 c, size_t at, size_t other, size_t size, int together) {
    struct rule r;
    UNROLLED for (int i = 0; i < PARAMETERS_S16; i++) {
        if (c.each == 0) r.row[i] = pair_of(c.parameters[i]);
        else r.row[i] = load_two(c.parameters + i * size, at, other, together);
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

/* The currents of two blocks of lanes, in steps of a potential; they are then zeros again. */
INLINE ps currents(struct cells_s16 c, void *plane, size_t at, size_t other, int together) {
    if (c.wide) {
        vi *first = (vi *)((int32_t *)plane + at), *second = (vi *)((int32_t *)plane + other);
        pi x;
        memcpy(&x, first, sizeof *first);
        memcpy((char *)&x + sizeof *first, second, sizeof *second);
        *first = *second = (vi){0};
        return __builtin_convertvector(short_of(short_of(x) << c.shift), ps);
    }
    const ps x = load_two(plane, at, other, together);
    store_two(plane, at, other, together, (ps){0});
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

INLINE void show(float *dense, size_t at, ps m, int half) {
    const pf real = __builtin_convertvector(m, pf);
    memcpy(dense + at, (const char *)&real + half * sizeof(vf), sizeof(vf));
}

/* Two blocks of neurons at `at` and `other`, whose currents lie at in and in_other; gives the bits of those that spike.  Of one alone both are the same.
 * together: bit 0 of the neurons, bit 1 of the currents: does the second block lie behind the first? */
INLINE uint32_t pair_s16(struct cells_s16 c, struct rule r, size_t at, size_t other, void *plane, size_t in, size_t in_other, int together) {
    ps fired;
    const ps v = step_s16(c, r, load_two(c.next, at, other, together & 1), currents(c, plane, in, in_other, together & 2), &fired);
    store_two(c.next, at, other, together & 1, v);
    if (c.dense) {
        show(c.dense, at, v, 0);
        if (other != at) show(c.dense, other, v, 1);
    }
    return lanes_of_pair(fired);
}

enum { FIRST_BLOCK = (1ull << B) - 1 };

/* Puts the neurons that spike into the list. */
INLINE int listed_two(struct events y, int n, size_t at, size_t other, uint32_t bits) {
    if (!bits && !lists_blindly(y)) return n;
    n = listed_lanes(y, n, (int)at, bits & FIRST_BLOCK, splat(1.0f));
    return listed_lanes(y, n, (int)other, bits >> B, splat(1.0f));
}

/* One step of all neurons: two blocks of a pixel together; of a last block two pixels, or one. */
INLINE int cells_s16_step(struct cells_s16 c, int n, void *plane) {
    const int pixels = c.rows * c.columns, rest = c.channels % B, flat = c.each < 2;
    const size_t size = (size_t)c.blocks * (flat ? 1 : pixels) * B;
    const uint32_t last = rest ? (1u << rest) - 1 : FIRST_BLOCK;
    const int close = pixels == 1;
    struct rule r = rule_of(c, 0, 0, size, 0);
    ROLLED for (int block = 0; block + 1 < c.blocks; block += 2) {
        const uint32_t used = block + 2 == c.blocks ? FIRST_BLOCK | last << B : ~0u;
        size_t at = (size_t)block * pixels * B, other = at + (size_t)pixels * B;
        if (flat) r = rule_of(c, (size_t)block * B, (size_t)(block + 1) * B, size, 1);
        ROLLED for (int row = 0; row < c.rows; row++) {
            size_t in = in_plane_s16(c, block, row, 0);
            ROLLED for (int column = 0; column < c.columns; column++, at += B, other += B, in += (size_t)c.blocks * B) {
                if (!flat) r = rule_of(c, at, other, size, close);
                n = listed_two(c.y, n, at, other, pair_s16(c, r, at, other, plane, in, in + B, 2 | close) & used);
            }
        }
    }
    if (c.blocks % 2 == 0) return n;
    const int block = c.blocks - 1;
    size_t at = (size_t)block * pixels * B;
    if (flat) r = rule_of(c, (size_t)block * B, (size_t)block * B, size, 0);
    ROLLED for (int row = 0; row < c.rows; row++) {
        size_t in = in_plane_s16(c, block, row, 0);
        const size_t next = (size_t)c.blocks * B;
        ROLLED for (int pair = 0; pair < c.columns / 2; pair++, at += PAIR, in += 2 * next) {
            if (!flat) r = rule_of(c, at, at + B, size, 1);
            n = listed_two(c.y, n, at, at + B, pair_s16(c, r, at, at + B, plane, in, in + next, c.blocks == 1 ? 3 : 1) & (last | last << B));
        }
        if (c.columns % 2) {
            if (!flat) r = rule_of(c, at, at, size, 0);
            const uint32_t bits = pair_s16(c, r, at, at, plane, in, in, 0) & last;
            if (bits) n = listed_lanes(c.y, n, (int)at, bits, splat(1.0f));
            at += B;
        }
    }
    return n;
}

/* bytes: of the currents */
INLINE void begin_s16(struct cells_s16 c, const int16_t *v, void *plane, size_t bytes) {
    const size_t kept = 2 * (size_t)c.blocks * c.rows * c.columns * B;
    if (!v) memset(c.next, 0, kept);
    else if (v != c.next) memcpy(c.next, v, kept);
    memset(plane, 0, bytes);
}
#endif
