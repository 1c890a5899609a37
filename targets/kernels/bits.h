/* Sums of products of -1 and 1 that lie as bits: a set bit is -1, bit 0 of a word is the first channel, bits past the last channel are 0.
 *
 *     sum of x * w over n places = n - 2 * (set bits of x ^ w)
 *
 * A panel is 32 outputs: one word of weights each, side by side, so that a word of inputs meets 32 outputs at once and the signs of the results
 * are a word again.  Set bits are counted in the bytes of the words, up to FULL words long, before they are added up. */
#ifndef EDGE_BITS_H
#define EDGE_BITS_H
#include "vector.h"

enum { WORD = 32, PANEL = WORD / B, FULL = 31, BITS_MR = 4 };  /* 31 words of at most 8 set bits a byte fit into a byte */
_Static_assert(WORD % B == 0, "a panel is whole blocks");

INLINE vu load_words(const uint32_t *p) { return *(const vu *)p; }

/* the set bits of each byte */
INLINE vu byte_counts(vu v) {
#if defined(__aarch64__) && EDGE_BLOCK == 4
    return (vu)vcntq_u8((uint8x16_t)v);
#else
    v -= v >> 1 & 0x55555555u;
    v = (v & 0x33333333u) + (v >> 2 & 0x33333333u);
    return (v + (v >> 4)) & 0x0f0f0f0fu;
#endif
}

/* the sum of the four bytes of each word */
INLINE vu byte_sums(vu v) {
    v = (v & 0x00ff00ffu) + (v >> 8 & 0x00ff00ffu);
    return (v & 0xffffu) + (v >> 16);
}

/* counts of mr pixels; bytes hold those of the last `held` words */
struct counts {
    vu bytes[BITS_MR][PANEL], sum[BITS_MR][PANEL];
    int held;
};

INLINE void counts_clear(struct counts *c, int mr) {
    c->held = 0;
    UNROLLED for (int p = 0; p < mr; p++) {
        UNROLLED for (int q = 0; q < PANEL; q++) c->bytes[p][q] = c->sum[p][q] = (vu){0};
    }
}

INLINE void counts_flush(struct counts *c, int mr) {
    c->held = 0;
    UNROLLED for (int p = 0; p < mr; p++) {
        UNROLLED for (int q = 0; q < PANEL; q++) c->sum[p][q] += byte_sums(c->bytes[p][q]), c->bytes[p][q] = (vu){0};
    }
}

/* One word of mr pixels, x[p * step], against one word of 32 outputs. */
INLINE void counts_add(struct counts *c, const uint32_t *x, int step, const uint32_t *w, int mr) {
    if (c->held == FULL) counts_flush(c, mr);
    c->held++;
    UNROLLED for (int q = 0; q < PANEL; q++) {
        const vu weights = load_words(w + q * B);
        UNROLLED for (int p = 0; p < mr; p++) c->bytes[p][q] += byte_counts(weights ^ x[p * step]);
    }
}

/* scale * (terms - 2 * set) + bias; two statements, so that no level makes one rounding of two */
INLINE vf bits_value(vu set, int terms, const float *scale, const float *bias) {
    const vi sum = terms - 2 * (vi)set;
    vf v = __builtin_convertvector(sum, vf) * load(scale);
    v = v + load(bias);
    return v;
}

/* the signs of one block, in the bits from `first` on */
INLINE uint32_t sign_bits(vf v, int first) {
    const vi below = v < splat(0.0f);
    uint32_t word = 0;
    UNROLLED for (int l = 0; l < B; l++) word |= (uint32_t)(below[l] & 1) << (first + l);
    return word;
}

/* the bits of word `word` that are channels, of so many */
INLINE uint32_t used_bits(int word, int channels) {
    const int left = channels - word * WORD;
    return left >= WORD ? ~0u : (1u << left) - 1;
}
#endif
