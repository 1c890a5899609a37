/* Max and average pooling on blocked maps; taps outside the picture are skipped.
 *
 * x: (C/B, h, w, B).  y: (C/B, oh, ow, B).  kind 0: max, NaN where a tap is, 1: mean over the taps inside, 2: mean over all kh*kw taps that the padded picture has.
 * A chunk is one block of one image. */
#include "vector.h"

struct pool_f32 {
    const float *x;
    float *y;
    int kind, images, blocks, h, wide, oh, ow;
    int kh, kw, sh, sw, dh, dw, top, left, bottom, right;
    size_t x_image, y_image;
    struct act act;
};

INLINE void pool_pixel(struct pool_f32 a, const float *x, float *y, int oy, int ox) {
    const int y0 = oy * a.sh - a.top, x0 = ox * a.sw - a.left;
    vf sum = splat(a.kind ? 0.0f : -INFINITY);
    int taps = 0;
    ROLLED for (int dy = 0; dy < a.kh; dy++) {
        const int iy = y0 + dy * a.dh;
        ROLLED for (int dx = 0; dx < a.kw; dx++) {
            const int ix = x0 + dx * a.dw;
            if (a.kind == 2) taps += iy < a.h + a.bottom && ix < a.wide + a.right;
            if (iy < 0 || iy >= a.h || ix < 0 || ix >= a.wide) continue;
            vf v = load(x + (size_t)(iy * a.wide + ix) * B);
            if (a.kind) sum += v;
            else sum = vmax_any(sum, v);
            if (a.kind == 1) taps++;
        }
    }
    if (a.kind) sum *= 1.0f / (float)most(taps, 1);
    store(y + (size_t)(oy * a.ow + ox) * B, activate(sum, a.act));
}

INLINE void pool_f32(int begin, int end, struct pool_f32 a) {
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / a.blocks, block = chunk % a.blocks;
        const float *x = a.x + image * a.x_image + (size_t)block * a.h * a.wide * B;
        float *y = a.y + image * a.y_image + (size_t)block * a.oh * a.ow * B;
        for (int oy = 0; oy < a.oh; oy++) {
            for (int ox = 0; ox < a.ow; ox++) pool_pixel(a, x, y, oy, ox);
        }
    }
}
