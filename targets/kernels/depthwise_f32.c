/* Depthwise convolution: every channel with its own kh x kw filter; lanes are channels, so nothing is ever shuffled.
 *
 * x: (C/B, h, w, B).  w: (C/B, kh*kw, B).  y: (C/B, oh, ow, B).  A tile of tr rows x tw columns of outputs stays in registers and reads each input once.
 * The first and the last tile of a row know their column at compile time, so that taps outside the picture cost nothing.
 * A chunk is row_chunk output rows x block_chunk blocks of channels of one image. */
#include "tile.h"

struct depthwise_f32 {
    const float *x, *w, *bias, *residual;
    float *y;
    int images, blocks, h, wide, oh, ow;
    int kh, kw, sh, sw, dh, dw, top, left;
    size_t x_image, y_image;
    int tr, tw, row_chunk, block_chunk;
    struct act act, act2;
};

enum { DEPTHWISE_TR = 2, DEPTHWISE_TW = 8, DEPTHWISE_SPAN = 128, DEPTHWISE_ROW = 20 };

/* what a row above or below the picture reads: a tile spans at most so many columns, and a branch a row would cost more */
static float depthwise_nothing[DEPTHWISE_SPAN * B];

/* what the input at row r, column c of the tile adds to its sums */
INLINE void depthwise_taps(vf acc[DEPTHWISE_TR][DEPTHWISE_TW], struct depthwise_f32 a, const float *w, vf value, int r, int c, int tr, int tw) {
    UNROLLED for (int t = 0; t < tr; t++) {
        const int dy = r - t * a.sh;
        if (dy < 0 || dy % a.dh || dy / a.dh >= a.kh) continue;
        UNROLLED for (int dx = 0; dx < a.kw; dx++) {
            const int from = c - dx * a.dw, q = from / a.sw;
            if (from < 0 || from % a.sw || q >= tw) continue;
            acc[t][q] += value * load(w + (dy / a.dh * a.kw + dx) * B);
        }
    }
}

/* what columns lo to hi of one row add to the sums of one row of outputs; w: of its taps.  The row is read in runs, then used tap by tap, so that
 * the products of one sum are far apart. */
INLINE void depthwise_row(vf acc[DEPTHWISE_TW], struct depthwise_f32 a, const float *x, const float *w, int lo, int hi, int tw) {
    vf row[DEPTHWISE_ROW];
    x = own_pointer(x + lo * B);
    UNROLLED for (int c = lo; c < hi; c += 4) load_run(row + c, &x, least(4, hi - c), 4 * B);
    UNROLLED for (int dx = 0; dx < a.kw; dx++) {
        const vf weight = load(w + dx * B);
        UNROLLED for (int q = 0; q < tw; q++) {
            const int c = q * a.sw + dx * a.dw;
            if (c >= lo && c < hi) acc[q] += row[c] * weight;
        }
        UNROLLED for (int q = 0; q < tw - 1; q++) after(&acc[tw - 1], &acc[q]);
        UNROLLED for (int q = 0; q < tw - 1; q++) after(&acc[q], &acc[tw - 1]);
    }
}

/* x, y: this image and block. edge: the tile may reach outside the columns. */
INLINE void depthwise_tile(struct depthwise_f32 a, const float *x, const float *w, vf bias, size_t at, int oy, int ox, int tr, int tw, int edge) {
    vf acc[DEPTHWISE_TR][DEPTHWISE_TW];
    UNROLLED for (int t = 0; t < tr; t++) {
        UNROLLED for (int q = 0; q < tw; q++) acc[t][q] = bias;
    }
    const int y0 = oy * a.sh - a.top, x0 = ox * a.sw - a.left, reach = (a.kh - 1) * a.dh, span = (tw - 1) * a.sw + (a.kw - 1) * a.dw + 1;
    const int lo = edge ? most(0, -x0) : 0, hi = edge ? least(span, a.wide - x0) : span;  /* constants, but in a tile of one column */
    UNROLLED for (int r = 0; r <= (tr - 1) * a.sh + reach; r++) {
        if (tr == 1 && r % a.dh) continue;
        const float *row = y0 + r >= 0 && y0 + r < a.h ? x + (ptrdiff_t)((y0 + r) * a.wide + x0) * B : depthwise_nothing;
        if (BY_ELEMENT && tr == 1 && tw > 1 && span <= DEPTHWISE_ROW) {
            depthwise_row(acc[0], a, row, w + r / a.dh * a.kw * B, lo, hi, tw);
        } else {
            UNROLLED for (int c = 0; c < span; c++) {
                if (!edge || (c >= lo && c < hi)) depthwise_taps(acc, a, w, load(row + c * B), r, c, tr, tw);
            }
        }
        if (r < reach || (r - reach) % a.sh) continue;
        const int t = (r - reach) / a.sh;  /* the row that is complete: stored now, as x may overlap y for all that LLVM knows, and loads would pile up */
        UNROLLED for (int q = 0; q < tw; q++) {
            const size_t to = at + (size_t)((oy + t) * a.ow + ox + q) * B;
            vf v = activate(acc[t][q], a.act);
            if (a.residual) v = activate(v + load(a.residual + to), a.act2);
            store(a.y + to, v);
        }
    }
}

INLINE void depthwise_rows(struct depthwise_f32 a, const float *x, const float *w, vf bias, size_t at, int oy, int tr) {
    const int reach = (a.kw - 1) * a.dw, last = a.ow - a.tw;
    depthwise_tile(a, x, w, bias, at, oy, 0, tr, a.tw, 1);
    if (last <= 0) return;
    const int inner = last > a.tw ? a.tw + (last - a.tw - 1) / a.tw * a.tw : 0;  /* where the last tile between starts */
    const int inside = a.tw * a.sw >= a.left && (inner + a.tw - 1) * a.sw - a.left + reach < a.wide;
    if (inside) {
        ROLLED for (int ox = a.tw; ox < last; ox += a.tw) depthwise_tile(a, x, w, bias, at, oy, ox, tr, a.tw, 0);
    } else {
        ROLLED for (int ox = a.tw; ox < last; ox++) depthwise_tile(a, x, w, bias, at, oy, ox, tr, 1, 1);
    }
    depthwise_tile(a, x, w, bias, at, oy, last, tr, a.tw, 1);
}

INLINE void depthwise_block(struct depthwise_f32 a, int image, int block, int first, int last) {
    const float *x = a.x + image * a.x_image + (size_t)block * a.h * a.wide * B, *w = a.w + (size_t)block * a.kh * a.kw * B;
    const size_t at = image * a.y_image + (size_t)block * a.oh * a.ow * B;
    const vf bias = a.bias ? load(a.bias + block * B) : splat(0.0f);
    int oy = first;
    for (; oy + a.tr <= last; oy += a.tr) depthwise_rows(a, x, w, bias, at, oy, a.tr);
    if (a.tr > 1 && a.oh % a.tr && oy < last) depthwise_rows(a, x, w, bias, at, oy, 1);
}

INLINE void depthwise_f32(int begin, int end, struct depthwise_f32 a) {
    const int down = ceil_div(a.oh, a.row_chunk), across = ceil_div(a.blocks, a.block_chunk);
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / (down * across), first = chunk / across % down * a.row_chunk, from = chunk % across * a.block_chunk;
        for (int block = from; block < least(from + a.block_chunk, a.blocks); block++) {
            depthwise_block(a, image, block, first, least(first + a.row_chunk, a.oh));
        }
    }
}
