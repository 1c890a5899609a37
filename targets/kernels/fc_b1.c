/* Dense layer of bits: y = act2(act(scale * (sum of x * w) + bias) + residual), as floats, or as the bits of its signs.
 *
 * x: (rows, words) words of 32 inputs.  w: (panels, words, 32).  y: (rows, n) floats, or where `packed` (rows, panels) words.
 * A chunk is one panel of 32 outputs for all rows. */
#include "bits.h"

struct fc_b1 {
    const uint32_t *x, *w;
    const float *scale, *bias, *residual;
    void *y;
    int rows, k, n, packed;
    struct act act, act2;
};

INLINE void fc_b1_row(struct fc_b1 a, int row, int panel) {
    const int words = ceil_div(a.k, WORD);
    const uint32_t *x = a.x + (size_t)row * words, *w = a.w + (size_t)panel * words * WORD;
    struct counts c;
    uint32_t word = 0;
    counts_clear(&c, 1);
    ROLLED for (int k = 0; k < words; k++) counts_add(&c, x + k, 0, w + (size_t)k * WORD, 1);
    counts_flush(&c, 1);
    UNROLLED for (int q = 0; q < PANEL; q++) {
        const int first = panel * WORD + q * B, lanes = least(B, a.n - first);
        if (lanes <= 0) continue;
        const size_t at = (size_t)row * a.n + first;
        vf v = activate(bits_value(c.sum[0][q], a.k, a.scale + first, a.bias + first), a.act);
        if (a.residual) {
            vf r = splat(0.0f);
            memcpy(&r, a.residual + at, 4 * (size_t)lanes);
            v = activate(v + r, a.act2);
        }
        if (a.packed) word |= sign_bits(v, q * B);
        else memcpy((float *)a.y + at, &v, 4 * (size_t)lanes);
    }
    if (a.packed) ((uint32_t *)a.y)[(size_t)row * ceil_div(a.n, WORD) + panel] = word & used_bits(panel, a.n);
}

INLINE void fc_b1(int begin, int end, struct fc_b1 a) {
    ROLLED for (int panel = begin; panel < end; panel++) {
        ROLLED for (int row = 0; row < a.rows; row++) fc_b1_row(a, row, panel);
    }
}
