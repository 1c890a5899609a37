/* Convolution of bits: y = act2(act(scale * (sum of x * w) + bias) + residual), as floats, or as the bits of its signs.
 *
 * x: (images, words, h, wide) words of 32 channels.  w: (panels, kh, kw, words, 32).  y: (images, N/B, oh, ow, B) floats, or where `packed`
 * (images, panels, oh, ow) words.  Places outside the picture count `border`: 0 for nothing, 1 or -1.
 * Tiles of mr pixels of a row whose columns all lie inside, single pixels at its ends.  A chunk is row_chunk rows of one image. */
#include "bits.h"

struct conv_b1 {
    const uint32_t *x, *w;
    const float *scale, *bias, *residual;
    void *y;
    int channels, outputs, border, packed;
    int images, h, wide, oh, ow, kh, kw, sh, sw, dh, dw, top, left;
    size_t y_image;
    int mr, row_chunk;
    struct act act, act2;
};

INLINE void conv_b1_store(struct conv_b1 a, const struct counts *c, int terms, int image, int row, int column, int panel, int mr) {
    const size_t pixels = (size_t)a.oh * a.ow;
    UNROLLED for (int p = 0; p < mr; p++) {
        const size_t pixel = (size_t)row * a.ow + column + p;
        uint32_t word = 0;
        UNROLLED for (int q = 0; q < PANEL; q++) {
            const int first = panel * WORD + q * B;
            if (first >= a.outputs) continue;
            vf v = activate(bits_value(c->sum[p][q], terms, a.scale + first, a.bias + first), a.act);
            const size_t at = image * a.y_image + ((size_t)(first / B) * pixels + pixel) * B;
            if (a.residual) v = activate(v + load(a.residual + at), a.act2);
            if (a.packed) word |= sign_bits(v, q * B);
            else store((float *)a.y + at, v);
        }
        if (a.packed) ((uint32_t *)a.y)[((size_t)image * ceil_div(a.outputs, WORD) + panel) * pixels + pixel] = word & used_bits(panel, a.outputs);
    }
}

INLINE void conv_b1_tile(struct conv_b1 a, int image, int row, int column, int panel, int mr) {
    const int words = ceil_div(a.channels, WORD);
    const size_t plane = (size_t)a.h * a.wide;
    const uint32_t *x = a.x + (size_t)image * words * plane, *w = a.w + (size_t)panel * a.kh * a.kw * words * WORD;
    struct counts c;
    int places = 0;
    counts_clear(&c, mr);
    ROLLED for (int u = 0; u < a.kh; u++) {
        const int i = row * a.sh - a.top + u * a.dh;
        ROLLED for (int v = 0; v < a.kw; v++) {
            const int j = column * a.sw - a.left + v * a.dw, inside = i >= 0 && i < a.h && j >= 0 && j < a.wide;
            if (!inside && !a.border) continue;
            const uint32_t *weights = w + (size_t)(u * a.kw + v) * words * WORD;
            places++;
            ROLLED for (int k = 0; k < words; k++) {
                const uint32_t outside = a.border < 0 ? used_bits(k, a.channels) : 0;
                if (inside) counts_add(&c, x + k * plane + (size_t)i * a.wide + j, a.sw, weights + k * WORD, mr);
                else counts_add(&c, &outside, 0, weights + k * WORD, mr);
            }
        }
    }
    counts_flush(&c, mr);
    conv_b1_store(a, &c, a.channels * places, image, row, column, panel, mr);
}

INLINE void conv_b1(int begin, int end, struct conv_b1 a) {
    const int each = ceil_div(a.oh, a.row_chunk), panels = ceil_div(a.outputs, WORD);
    const int reach = (a.kw - 1) * a.dw;  /* columns [inner, last) are whole inside the picture */
    const int inner = least(a.ow, ceil_div(a.left, a.sw)), past = a.wide - 1 - reach + a.left;
    const int last = past < 0 ? 0 : least(a.ow, past / a.sw + 1);
    ROLLED for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / each, first = chunk % each * a.row_chunk;
        ROLLED for (int row = first; row < least(a.oh, first + a.row_chunk); row++) {
            ROLLED for (int panel = 0; panel < panels; panel++) {
                int column = 0;
                ROLLED while (column < a.ow) {
                    const int whole = column >= inner && column + a.mr <= last;
                    if (whole) conv_b1_tile(a, image, row, column, panel, a.mr);
                    else conv_b1_tile(a, image, row, column, panel, 1);
                    column += whole ? a.mr : 1;
                }
            }
        }
    }
}
