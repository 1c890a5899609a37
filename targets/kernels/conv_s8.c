/* Convolution of 8-bit integers, grouped or not, and matrix products, which are 1x1 convolutions of one row.
 *
 * x: (images, h, wide, channels).  w: (groups, blocks, kh * kw, group_in, 16), blocks = ceil(group_out / 16).  y: (images, oh, ow, outputs).
 * bias, zeros: int32, scale: float, one a lane of w's outputs.  zeros: w's zero points where they differ, else w_zero is all of them.
 * sum = bias + sum over taps inside the picture of (x - x_zero) * (w - zero): a tap outside adds nothing, as if x_zero stood there.
 * A chunk is row_chunk rows of outputs by panel_chunk blocks of channels of one image. */
#include "integer.h"

struct conv_s8 {
    const void *x, *w;
    const int32_t *bias, *zeros;
    const float *scale;
    void *y;
    int images, h, wide, oh, ow;
    int kh, kw, sh, sw, dh, dw, top, left;
    int group_in, group_out, groups;
    int x_zero, w_zero, x_signed, w_signed;
    int mr, row_chunk, panel_chunk;
    struct requantize requantize;
};

enum { CONV_S8_MR = 4 };

INLINE void conv_s8_tile(struct conv_s8 a, size_t image, int panel, int oy, int ox, int mr) {
    const int blocks = ceil_div(a.group_out, LANES), group = panel / blocks, block = panel % blocks;
    const int channels = a.group_in * a.groups, outputs = a.group_out * a.groups, lanes = least(LANES, a.group_out - block * LANES);
    const int raw = !a.zeros && a.w_zero == 0;
    const si zero = a.zeros ? words(a.zeros + (size_t)panel * LANES) : every(a.w_zero);
    si sum[CONV_S8_MR];
    UNROLLED for (int m = 0; m < mr; m++) sum[m] = words(a.bias + (size_t)panel * LANES);
    for (int dy = 0; dy < a.kh; dy++) {
        const int iy = oy * a.sh - a.top + dy * a.dh;
        if (iy < 0 || iy >= a.h) continue;
        for (int dx = 0; dx < a.kw; dx++) {
            const int first = ox * a.sw - a.left + dx * a.dw, last = first + (mr - 1) * a.sw;
            const size_t row = (image * a.h + iy) * a.wide;
            const size_t w = (((size_t)panel * a.kh + dy) * a.kw + dx) * a.group_in * LANES;
            if (first >= 0 && last < a.wide) {
                const size_t x = (row + first) * channels + (size_t)group * a.group_in;
                ROLLED for (int k = 0; k < a.group_in; k++) {
                    si weight = bytes(a.w, w + (size_t)k * LANES, a.w_signed, LANES);
                    if (!raw) weight -= zero;
                    UNROLLED for (int m = 0; m < mr; m++)
                        sum[m] += weight * every(byte(a.x, x + (size_t)m * a.sw * channels + k, a.x_signed) - a.x_zero);
                }
                continue;
            }
            UNROLLED for (int m = 0; m < mr; m++) {
                const int ix = first + m * a.sw;
                if (ix < 0 || ix >= a.wide) continue;
                const size_t x = (row + ix) * channels + (size_t)group * a.group_in;
                ROLLED for (int k = 0; k < a.group_in; k++) {
                    si weight = bytes(a.w, w + (size_t)k * LANES, a.w_signed, LANES);
                    if (!raw) weight -= zero;
                    sum[m] += weight * every(byte(a.x, x + k, a.x_signed) - a.x_zero);
                }
            }
        }
    }
    const sf scale = reals(a.scale + (size_t)panel * LANES);
    UNROLLED for (int m = 0; m < mr; m++) {
        const size_t y = ((image * a.oh + oy) * a.ow + ox + m) * outputs + (size_t)group * a.group_out + (size_t)block * LANES;
        store_bytes(a.y, y, requantized(sum[m], scale, a.requantize), lanes);
    }
}

INLINE void conv_s8(int begin, int end, struct conv_s8 a) {
    const int panels = ceil_div(a.group_out, LANES) * a.groups;
    const int columns = ceil_div(panels, a.panel_chunk), rows = ceil_div(a.oh, a.row_chunk);
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / (rows * columns), part = chunk % (rows * columns);
        const int row = part / columns * a.row_chunk, column = part % columns * a.panel_chunk;
        for (int oy = row; oy < least(row + a.row_chunk, a.oh); oy++) {
            for (int panel = column; panel < least(column + a.panel_chunk, panels); panel++) {
                int ox = 0;
                for (; ox + a.mr <= a.ow; ox += a.mr) conv_s8_tile(a, image, panel, oy, ox, a.mr);
                for (; ox < a.ow; ox++) conv_s8_tile(a, image, panel, oy, ox, 1);
            }
        }
    }
}
