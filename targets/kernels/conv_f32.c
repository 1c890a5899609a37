/* General convolution: any kernel, stride, dilation, padding and grouping; input blocked or planar (a camera picture).
 *
 * x: one or two views of channels, (C/B, h, w, B) or planar (C, h, w).  w: (N/B, kh, kw, K, B).  y: (N/B, oh, ow, B).
 * A tile of mr pixels of one row x nv output blocks stays in registers over the whole sum. The first and last tile of a row know their column
 * at compile time, so that taps outside the picture cost nothing; rows outside are skipped.
 * groups > 1: output block j reads the K channels from least(j*B / group_out * group_in, limit), with zeros in w where a channel is of another group.
 * Zero times infinity is NaN: where a block has outputs of several groups and a NaN comes out, the tile is done again, each group by itself.
 * A chunk is row_chunk output rows x panel_chunk panels of nv blocks of one image. */
#include "tile.h"

struct conv_f32 {
    const float *x[2];
    const float *w, *bias, *residual;
    float *y;
    int from[2], count[2], planar;  /* channels of each view */
    int group_out, group_in, limit; /* 0, 0, 0 without groups */
    int images, h, wide, oh, ow, blocks;
    int kh, kw, sh, sw, dh, dw, top, left;
    size_t x_image[2], y_image;
    int mr, nv, row_chunk, panel_chunk;
    struct act act, act2;
};

/* acc[p][n] += x[p*step + (first + l)*lane] * w[n*panel + l*B ..] for l < lanes: lanes of one block, or planes of a picture.
 * edge: only pixels whose column x0 + p*sw lies inside */
INLINE void conv_lanes(vf acc[TILE_MR][TILE_NV], const float *x, const float *w, struct conv_f32 a, int first, int lanes, int x0, int mr, int nv, int edge) {
    const size_t panel = (size_t)a.kh * a.kw * (a.count[0] + a.count[1]) * B, lane = a.planar ? (size_t)a.h * a.wide : 1;
    const int step = a.planar ? a.sw : a.sw * B;
    UNROLL4 for (int l = 0; l < lanes; l++) {
        vf weight[TILE_NV];
        UNROLLED for (int n = 0; n < nv; n++) weight[n] = load(w + n * panel + l * B);
        UNROLLED for (int p = 0; p < mr; p++) {
            if (edge && (x0 + p * a.sw < 0 || x0 + p * a.sw >= a.wide)) continue;
            vf value = splat(x[p * step + (first + l) * lane]);
            UNROLLED for (int n = 0; n < nv; n++) acc[p][n] += weight[n] * value;
        }
    }
}

/* the same for all channels of a view, by element: lanes `lane` and on of one block, `full` whole blocks, `tail` lanes; of a tile at the edge the pixels inside */
INLINE void conv_by_element(vf acc[TILE_MR][TILE_NV], const float *x, const float *w, struct conv_f32 a, int lane, int head, int full, int tail, int x0, int mr,
                            int nv, int edge) {
    const size_t panel = (size_t)a.kh * a.kw * (a.count[0] + a.count[1]) * B;
    int from = 0, to = mr;
    if (edge) {
        while (from < mr && x0 + from * a.sw < 0) from++;
        while (to > from && x0 + (to - 1) * a.sw >= a.wide) to--;
    }
    if (from == to) return;
    const int apart = a.sw * B, inside = to - from;
    const size_t step = tile_step((size_t)a.h * a.wide * B, apart, inside);
    const float *weights[TILE_NV];
    x = own_pointer(x + from * apart);
    UNROLLED for (int n = 0; n < nv; n++) weights[n] = own_pointer(w + n * panel);
    if (head) tile_lanes(acc + from, &x, weights, apart, step, lane, head, inside, nv);
    ROLLED for (int c = 0; c < full; c++) tile_lanes(acc + from, &x, weights, apart, step, 0, B, inside, nv);
    if (tail) tile_lanes(acc + from, &x, weights, apart, step, 0, tail, inside, nv);
}

/* all channels of one view at one tap; x: the view's buffer at the tap's first pixel. Returns w behind the view's channels. */
INLINE const float *conv_view(vf acc[TILE_MR][TILE_NV], const float *x, const float *w, struct conv_f32 a, int from, int count, int x0, int mr, int nv, int edge) {
    const size_t plane = (size_t)a.h * a.wide;
    if (a.planar) {
        x += from * plane;
        ROLLED for (int c = 0; c < count; c++, x += plane, w += B) conv_lanes(acc, x, w, a, 0, 1, x0, mr, nv, edge);
        return w;
    }
    const int lane = from % B, head = lane ? least(B - lane, count) : 0, full = (count - head) / B, tail = (count - head) % B;
    x += from / B * plane * B;
    if (BY_ELEMENT && !a.group_out) {
        conv_by_element(acc, x, w, a, lane, head, full, tail, x0, mr, nv, edge);
        return w + count * B;
    }
    if (head) {
        conv_lanes(acc, x, w, a, lane, head, x0, mr, nv, edge);
        x += plane * B, w += head * B;
    }
    ROLLED for (int c = 0; c < full; c++, x += plane * B, w += B * B) conv_lanes(acc, x, w, a, 0, B, x0, mr, nv, edge);
    if (tail) conv_lanes(acc, x, w, a, 0, tail, x0, mr, nv, edge);
    return w + tail * B;
}

/* How many columns a tile reads of a row. */
INLINE int conv_span(struct conv_f32 a, int mr) { return (mr - 1) * a.sw + (a.kw - 1) * a.dw + 1; }

/* Are rows of a picture read in vectors?  x0: the tile's first column, a constant where edge tells columns inside from those outside. */
INLINE int conv_by_rows(struct conv_f32 a, int x0, int mr, int edge) {
    const int span = conv_span(a, mr), width = edge ? least(span, a.wide - x0) - most(0, -x0) : span;
    return BY_ELEMENT && a.planar && mr > 1 && span <= TILE_ROW * B && width >= B;
}

/* row iy of all planes of a picture; w: of this row of taps */
INLINE void conv_rows(vf acc[TILE_MR][TILE_NV], const float *w, struct conv_f32 a, int image, int iy, int x0, int mr, int nv, int edge) {
    const size_t plane = (size_t)a.h * a.wide, tap = (size_t)a.count[0] * B;
    const float *x = a.x[0] + image * a.x_image[0] + a.from[0] * plane + (ptrdiff_t)iy * a.wide + x0;
    const int lo = edge ? most(0, -x0) : 0, hi = edge ? least(conv_span(a, mr), a.wide - x0) : conv_span(a, mr);
    ROLLED for (int c = 0; c < a.count[0]; c++, x += plane, w += B) tile_row(acc, x, w, a.kh * a.kw * tap, tap, a.kw, a.sw, a.dw, lo, hi, mr, nv);
}

INLINE int conv_group_from(struct conv_f32 a, int block) { return least(block * B / a.group_out * a.group_in, a.limit); }

/* the sum of one output pixel, in which each lane reads the channels of its own group alone */
INLINE vf conv_apart(struct conv_f32 a, int image, int block, int oy, int ox, vf sum) {
    const size_t plane = (size_t)a.h * a.wide * B;
    const int from = conv_group_from(a, block);
    const float *w = a.w + (size_t)block * a.kh * a.kw * a.count[0] * B;
    vi first;  /* of each lane's group */
    ROLLED for (int l = 0; l < B; l++) first[l] = (block * B + l) / a.group_out * a.group_in - from;
    ROLLED for (int dy = 0; dy < a.kh; dy++) ROLLED for (int dx = 0; dx < a.kw; dx++) {
        const int iy = oy * a.sh - a.top + dy * a.dh, ix = ox * a.sw - a.left + dx * a.dw;
        const float *x = a.x[0] + image * a.x_image[0] + ((ptrdiff_t)iy * a.wide + ix) * B;
        ROLLED for (int k = 0; k < a.count[0]; k++, w += B) {
            const int c = a.from[0] + from + k;
            if (iy < 0 || iy >= a.h || ix < 0 || ix >= a.wide) continue;
            sum += load(w) * choose((first <= k) & (first + a.group_in > k), splat(x[c / B * plane + c % B]), splat(0.0f));
        }
    }
    return sum;
}

INLINE int conv_has_nan(vf acc[TILE_MR][TILE_NV], int mr) {
    vi nan = acc[0][0] != acc[0][0];
    int any = 0;
    UNROLLED for (int p = 1; p < mr; p++) nan |= acc[p][0] != acc[p][0];
    UNROLLED for (int l = 0; l < B; l++) any |= nan[l];
    return any;
}

INLINE void conv_tap(vf acc[TILE_MR][TILE_NV], const float *w, struct conv_f32 a, int image, int block, int iy, int x0, int mr, int nv, int edge) {
    const int unit = a.planar ? 1 : B;
    const ptrdiff_t pixel = ((ptrdiff_t)iy * a.wide + x0) * unit;
    if (a.group_out) {
        conv_view(acc, a.x[0] + image * a.x_image[0] + pixel, w, a, a.from[0] + conv_group_from(a, block), a.count[0], x0, mr, nv, edge);
        return;
    }
    w = conv_view(acc, a.x[0] + image * a.x_image[0] + pixel, w, a, a.from[0], a.count[0], x0, mr, nv, edge);
    if (a.count[1]) conv_view(acc, a.x[1] + image * a.x_image[1] + pixel, w, a, a.from[1], a.count[1], x0, mr, nv, edge);
}

/* the sum of one output, activated, with its residual, to its place */
INLINE void conv_finish(struct conv_f32 a, size_t at, vf sum) {
    vf v = activate(sum, a.act);
    if (a.residual) v = activate(v + load(a.residual + at), a.act2);
    store(a.y + at, v);
}

INLINE void conv_tile(struct conv_f32 a, int image, int block, int oy, int ox, int mr, int nv, int edge) {
    vf acc[TILE_MR][TILE_NV];
    const size_t panel = (size_t)a.kh * a.kw * (a.count[0] + a.count[1]) * B, tap = (size_t)(a.count[0] + a.count[1]) * B;
    UNROLLED for (int n = 0; n < nv; n++) {
        vf bias = a.bias ? load(a.bias + (block + n) * B) : splat(0.0f);
        UNROLLED for (int p = 0; p < mr; p++) acc[p][n] = bias;
    }
    ROLLED for (int dy = 0; dy < a.kh; dy++) {
        const int iy = oy * a.sh - a.top + dy * a.dh;
        if (iy < 0 || iy >= a.h) continue;
        const float *w = a.w + block * panel + dy * a.kw * tap;
        if (conv_by_rows(a, ox * a.sw - a.left, mr, edge)) {
            conv_rows(acc, w, a, image, iy, ox * a.sw - a.left, mr, nv, edge);
        } else if (edge) {
            UNROLLED for (int dx = 0; dx < a.kw; dx++) conv_tap(acc, w + dx * tap, a, image, block, iy, ox * a.sw - a.left + dx * a.dw, mr, nv, 1);
        } else {
            ROLLED for (int dx = 0; dx < a.kw; dx++) conv_tap(acc, w + dx * tap, a, image, block, iy, ox * a.sw - a.left + dx * a.dw, mr, nv, 0);
        }
    }
    const size_t plane = (size_t)a.oh * a.ow * B;
    const size_t at = image * a.y_image + block * plane + (size_t)(oy * a.ow + ox) * B;
    if (a.group_out && a.group_out % B && conv_has_nan(acc, mr)) {
        const vf bias = a.bias ? load(a.bias + block * B) : splat(0.0f);
        ROLLED for (int p = 0; p < mr; p++) conv_finish(a, at + p * B, conv_apart(a, image, block, oy, ox + p, bias));
        return;
    }
    if (BY_ELEMENT && is_long(a.act)) {  /* one after the other, from memory: all at a time would not fit the registers */
        UNROLLED for (int n = 0; n < nv; n++) {
            UNROLLED for (int p = 0; p < mr; p++) store(a.y + at + n * plane + p * B, acc[p][n]);
        }
        forget();
        UNROLLED for (int n = 0; n < nv; n++) {
            ROLLED for (int p = 0; p < mr; p++) conv_finish(a, at + n * plane + p * B, load(a.y + at + n * plane + p * B));
        }
        return;
    }
    UNROLLED for (int n = 0; n < nv; n++) {
        UNROLLED for (int p = 0; p < mr; p++) conv_finish(a, at + n * plane + p * B, acc[p][n]);
    }
}

INLINE void conv_row(struct conv_f32 a, int image, int block, int oy, int nv) {
    const int reach = (a.kw - 1) * a.dw, last = a.ow - a.mr;
    conv_tile(a, image, block, oy, 0, a.mr, nv, 1);
    if (last <= 0) return;
    const int inner = last > a.mr ? a.mr + (last - a.mr - 1) / a.mr * a.mr : 0;  /* where the last tile between starts */
    const int inside = a.mr * a.sw >= a.left && (inner + a.mr - 1) * a.sw - a.left + reach < a.wide;
    if (inside) {
        ROLLED for (int ox = a.mr; ox < last; ox += a.mr) conv_tile(a, image, block, oy, ox, a.mr, nv, 0);
    } else {
        ROLLED for (int ox = a.mr; ox < last; ox++) conv_tile(a, image, block, oy, ox, 1, nv, 1);
    }
    conv_tile(a, image, block, oy, last, a.mr, nv, 1);
}

/* Ask for the rows that output row oy reads first: a picture comes from the caller, so it is in no near cache, and its rows are too short for the
 * hardware to see them coming. */
INLINE void conv_prefetch(struct conv_f32 a, int image, int oy) {
    const int reach = (a.kh - 1) * a.dh + 1, fresh = least(a.sh, reach), last = oy * a.sh - a.top + reach;
    for (int c = 0; c < a.count[0]; c++) {
        for (int iy = most(last - fresh, 0); iy < least(last, a.h); iy++) {
            const float *row = a.x[0] + image * a.x_image[0] + ((size_t)(a.from[0] + c) * a.h + iy) * a.wide;
            for (int ix = 0; ix < a.wide; ix += 16) __builtin_prefetch(row + ix);
        }
    }
}

INLINE void conv_f32(int begin, int end, struct conv_f32 a) {
    const int panels = ceil_div(a.blocks, a.nv), across = ceil_div(panels, a.panel_chunk), down = ceil_div(a.oh, a.row_chunk);
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / (across * down), first = chunk / across % down * a.row_chunk, from = chunk % across * a.panel_chunk;
        const int last = least(first + a.row_chunk, a.oh), to = least(from + a.panel_chunk, panels);
        for (int panel = from; panel < to; panel++) {
            for (int oy = first; oy < last; oy++) {
                if (a.planar && panel == from) conv_prefetch(a, image, oy + 1);
                if (a.blocks % a.nv && panel == panels - 1) conv_row(a, image, panel * a.nv, oy, a.blocks % a.nv);
                else conv_row(a, image, panel * a.nv, oy, a.nv);
            }
        }
    }
}
