/* Copies channels between maps of any layout: layout changes, channel slices and concatenation.
 *
 * A map is blocked (C/B, pixels, B) or planar (C, pixels).  Channels [from, from + count) of x become [to, to + count) of y.
 * A chunk is one group of B channels of one image. */
#include "vector.h"

struct channels_f32 {
    const float *x;
    float *y;
    int x_planar, y_planar, images, pixels, from, to, count;
    size_t x_image, y_image;
};

INLINE void channels_f32(int begin, int end, struct channels_f32 a) {
    const int groups = ceil_div(a.count, B), whole = !a.x_planar && !a.y_planar && a.from % B == 0 && a.to % B == 0;
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / groups, first = chunk % groups * B, last = least(first + B, a.count);
        const float *x = a.x + image * a.x_image;
        float *y = a.y + image * a.y_image;
        if (whole && last - first == B) {
            memcpy(y + (size_t)(a.to + first) * a.pixels, x + (size_t)(a.from + first) * a.pixels, 4 * (size_t)B * a.pixels);
            continue;
        }
        for (int c = first; c < last; c++) {
            const int from = a.from + c, to = a.to + c;
            const float *xc = a.x_planar ? x + (size_t)from * a.pixels : x + (size_t)(from / B) * a.pixels * B + from % B;
            float *yc = a.y_planar ? y + (size_t)to * a.pixels : y + (size_t)(to / B) * a.pixels * B + to % B;
            ROLLED for (int p = 0; p < a.pixels; p++) yc[(size_t)p * (a.y_planar ? 1 : B)] = xc[(size_t)p * (a.x_planar ? 1 : B)];
        }
    }
}
