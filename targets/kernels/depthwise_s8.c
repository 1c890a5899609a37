/* Depthwise convolution of 8-bit integers: every channel by itself.
 *
 * x: (images, h, wide, channels).  w: (ceil(channels / 16), kh * kw, 16).  y: (images, oh, ow, channels).
 * bias, zeros: int32, scale: float, one a lane.  zeros: w's zero points where they differ, else w_zero is all of them.
 * A chunk is row_chunk rows of outputs of one image. */
#include "integer.h"

struct depthwise_s8 {
    const void *x, *w;
    const int32_t *bias, *zeros;
    const float *scale;
    void *y;
    int images, h, wide, oh, ow;
    int kh, kw, sh, sw, dh, dw, top, left;
    int channels;
    int x_zero, w_zero, x_signed, w_signed;
    int row_chunk;
    struct requantize requantize;
};

INLINE void depthwise_s8_block(struct depthwise_s8 a, size_t image, int oy, int ox, int block, int lanes) {
    const size_t from = (size_t)block * LANES, taps = (size_t)a.kh * a.kw;
    const int raw = !a.zeros && a.w_zero == 0;
    const si zero = a.zeros ? words(a.zeros + from) : every(a.w_zero);
    si sum = words(a.bias + from);
    for (int dy = 0; dy < a.kh; dy++) {
        const int iy = oy * a.sh - a.top + dy * a.dh;
        if (iy < 0 || iy >= a.h) continue;
        for (int dx = 0; dx < a.kw; dx++) {
            const int ix = ox * a.sw - a.left + dx * a.dw;
            if (ix < 0 || ix >= a.wide) continue;
            si weight = bytes(a.w, (block * taps + (size_t)(dy * a.kw + dx)) * LANES, a.w_signed, LANES);
            if (!raw) weight -= zero;
            sum += weight * (bytes(a.x, ((image * a.h + iy) * a.wide + ix) * a.channels + from, a.x_signed, lanes) - a.x_zero);
        }
    }
    store_bytes(a.y, ((image * a.oh + oy) * a.ow + ox) * a.channels + from, requantized(sum, reals(a.scale + from), a.requantize), lanes);
}

INLINE void depthwise_s8(int begin, int end, struct depthwise_s8 a) {
    const int rows = ceil_div(a.oh, a.row_chunk), whole = a.channels / LANES, rest = a.channels % LANES;
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / rows, row = chunk % rows * a.row_chunk;
        for (int oy = row; oy < least(row + a.row_chunk, a.oh); oy++) {
            for (int ox = 0; ox < a.ow; ox++) {
                ROLLED for (int block = 0; block < whole; block++) depthwise_s8_block(a, image, oy, ox, block, LANES);
                if (rest) depthwise_s8_block(a, image, oy, ox, whole, rest);
            }
        }
    }
}
