/* 1x1 convolution, stride 1: y[n][p] = act2(act(bias[n] + sum_k w[n][k] * x[k][p]) + residual[n][p]).
 *
 * x: one or two views of channels, blocked (C/B, pixels, B); their channels follow one another.  w: (N/B, K, B).  y: (N/B, pixels, B).
 * A tile of mr pixels x nv output blocks stays in registers over the whole sum; the tile belongs to the ISA level.
 * A chunk is pixel_chunk pixels x panel_chunk panels of nv blocks: the pixels of a chunk are meant to stay in L2, a panel of weights in L1. */
#include "tile.h"

struct pointwise_f32 {
    const float *x[2];              /* (., pixels, B) each */
    const float *w, *bias, *residual;
    float *y;
    int from[2], count[2];          /* channels of each view */
    int images, pixels, blocks;     /* blocks: of output channels */
    size_t x_image[2], y_image;     /* floats from one image to the next */
    int mr, nv, pixel_chunk, panel_chunk;
    struct act act, act2;
};

/* acc[p][n] += x[p*B + l] * w[n][(l - first)*B ..] for `lanes` lanes l from first on, all of one block of input channels; w moves behind them, x by a plane */
INLINE void pointwise_lanes(vf acc[TILE_MR][TILE_NV], const float **x, const float *w[TILE_NV], size_t plane, size_t step, int first, int lanes, int mr, int nv) {
    if (BY_ELEMENT) {
        tile_lanes(acc, x, w, B, step, first, lanes, mr, nv);
        return;
    }
    UNROLL4 for (int l = 0; l < lanes; l++) {
        vf weight[TILE_NV];
        UNROLLED for (int n = 0; n < nv; n++) weight[n] = load(w[n] + l * B);
        UNROLLED for (int p = 0; p < mr; p++) {
            vf value = splat((*x)[p * B + first + l]);
            UNROLLED for (int n = 0; n < nv; n++) acc[p][n] += weight[n] * value;
        }
    }
    UNROLLED for (int n = 0; n < nv; n++) w[n] += lanes * B;
    *x += plane;
}

/* the sum of one output, activated, with its residual, to its place */
INLINE void pointwise_finish(struct pointwise_f32 a, size_t at, vf sum) {
    vf v = activate(sum, a.act);
    if (a.residual) v = activate(v + load(a.residual + at), a.act2);
    store(a.y + at, v);
}

INLINE void pointwise_tile(struct pointwise_f32 a, size_t pixel, size_t image, int block, int mr, int nv) {
    vf acc[TILE_MR][TILE_NV];
    const float *w[TILE_NV];
    const size_t plane = (size_t)a.pixels * B, panel = (size_t)(a.count[0] + a.count[1]) * B, step = tile_step(plane, B, mr);
    UNROLLED for (int n = 0; n < nv; n++) {
        vf bias = a.bias ? load(a.bias + (block + n) * B) : splat(0.0f);
        UNROLLED for (int p = 0; p < mr; p++) acc[p][n] = bias;
        w[n] = own_pointer(a.w + (block + n) * panel);
    }
    UNROLLED for (int v = 0; v < 2; v++) {
        const int lane = a.from[v] % B, head = lane ? least(B - lane, a.count[v]) : 0, full = (a.count[v] - head) / B, tail = (a.count[v] - head) % B;
        const float *x = a.x[v] + image * a.x_image[v] + a.from[v] / B * plane + pixel * B;
        if (head) pointwise_lanes(acc, &x, w, plane, step, lane, head, mr, nv);
        ROLLED for (int c = 0; c < full; c++) pointwise_lanes(acc, &x, w, plane, step, 0, B, mr, nv);
        if (tail) pointwise_lanes(acc, &x, w, plane, step, 0, tail, mr, nv);
    }
    const size_t at = image * a.y_image + block * plane + pixel * B;
    if (BY_ELEMENT && is_long(a.act)) {  /* one after the other, from memory: all at a time would not fit the registers */
        UNROLLED for (int n = 0; n < nv; n++) {
            UNROLLED for (int p = 0; p < mr; p++) store(a.y + at + n * plane + p * B, acc[p][n]);
        }
        forget();
        UNROLLED for (int n = 0; n < nv; n++) {
            ROLLED for (int p = 0; p < mr; p++) pointwise_finish(a, at + n * plane + p * B, load(a.y + at + n * plane + p * B));
        }
        return;
    }
    UNROLLED for (int n = 0; n < nv; n++) {
        UNROLLED for (int p = 0; p < mr; p++) pointwise_finish(a, at + n * plane + p * B, acc[p][n]);
    }
}

INLINE void pointwise_panel(struct pointwise_f32 a, int first, int last, int image, int block, int nv) {
    int pixel = first;
    for (; pixel + a.mr <= last; pixel += a.mr) pointwise_tile(a, pixel, image, block, a.mr, nv);
    if (a.pixels % a.mr && pixel < last) pointwise_tile(a, pixel, image, block, a.pixels % a.mr, nv);
}

/* pixel_chunk is a multiple of mr, so only the last chunk of an image meets the remainder */
INLINE void pointwise_f32(int begin, int end, struct pointwise_f32 a) {
    const int panels = ceil_div(a.blocks, a.nv), across = ceil_div(panels, a.panel_chunk), down = ceil_div(a.pixels, a.pixel_chunk);
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / (across * down), first = chunk / across % down * a.pixel_chunk, from = chunk % across * a.panel_chunk;
        const int last = least(first + a.pixel_chunk, a.pixels), to = least(from + a.panel_chunk, panels);
        for (int panel = from; panel < to; panel++) {
            if (a.blocks % a.nv && panel == panels - 1) pointwise_panel(a, first, last, image, panel * a.nv, a.blocks % a.nv);
            else pointwise_panel(a, first, last, image, panel * a.nv, a.nv);
        }
    }
}
