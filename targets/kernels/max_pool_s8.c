/* The maximum of 8-bit integers over windows; taps outside the picture are skipped.
 *
 * x: (images, h, wide, channels).  y: (images, oh, ow, channels).  A chunk is row_chunk rows of outputs of one image. */
#include "integer.h"

struct max_pool_s8 {
    const void *x;
    void *y;
    int images, h, wide, oh, ow;
    int kh, kw, sh, sw, dh, dw, top, left;
    int channels, x_signed;
    int row_chunk;
};

INLINE void max_pool_s8_block(struct max_pool_s8 a, size_t image, int oy, int ox, size_t from, int lanes) {
    si best = every(a.x_signed ? -128 : 0);
    for (int dy = 0; dy < a.kh; dy++) {
        const int iy = oy * a.sh - a.top + dy * a.dh;
        if (iy < 0 || iy >= a.h) continue;
        for (int dx = 0; dx < a.kw; dx++) {
            const int ix = ox * a.sw - a.left + dx * a.dw;
            if (ix < 0 || ix >= a.wide) continue;
            const si v = bytes(a.x, ((image * a.h + iy) * a.wide + ix) * a.channels + from, a.x_signed, lanes);
            const si more = v > best;
            best = (more & v) | (~more & best);
        }
    }
    store_bytes(a.y, ((image * a.oh + oy) * a.ow + ox) * a.channels + from, best, lanes);
}

INLINE void max_pool_s8(int begin, int end, struct max_pool_s8 a) {
    const int rows = ceil_div(a.oh, a.row_chunk), whole = a.channels / LANES, rest = a.channels % LANES;
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / rows, row = chunk % rows * a.row_chunk;
        for (int oy = row; oy < least(row + a.row_chunk, a.oh); oy++) {
            for (int ox = 0; ox < a.ow; ox++) {
                ROLLED for (int block = 0; block < whole; block++) max_pool_s8_block(a, image, oy, ox, (size_t)block * LANES, LANES);
                if (rest) max_pool_s8_block(a, image, oy, ox, (size_t)whole * LANES, rest);
            }
        }
    }
}
