/* Signs of floats as bits: a set bit where x >= 0 is false, or where `above` x > 0.
 *
 * x: (images, C/B, pixels, B), or where `planar` (images, C, pixels).  y: (images, words, pixels) words of 32 channels; bits past the last channel
 * are 0.  A chunk is one word of every pixel of one image. */
#include "bits.h"

struct pack_b1 {
    const float *x;
    uint32_t *y;
    int images, channels, pixels, planar, above;
    size_t x_image;
};

INLINE vi pack_b1_set(vf v, int above) { return ~(above ? v > splat(0.0f) : v >= splat(0.0f)); }

INLINE vf pack_b1_load(const float *x, int count) {
    vf v = splat(1.0f);
    if (count == B) return load(x);
    memcpy(&v, x, 4 * (size_t)count);
    return v;
}

/* channels side by side */
INLINE void pack_b1_pixels(const float *x, uint32_t *y, struct pack_b1 a, int word) {
    ROLLED for (int pixel = 0; pixel < a.pixels; pixel++) {
        uint32_t bits = 0;
        UNROLLED for (int q = 0; q < PANEL; q++) {
            const int first = word * WORD + q * B;
            if (first >= a.channels) continue;
            const float *from = x + ((size_t)(first / B) * a.pixels + pixel) * B;
            const vi set = pack_b1_set(a.planar ? pack_b1_load(from, least(B, a.channels - first)) : load(from), a.above);
            UNROLLED for (int l = 0; l < B; l++) bits |= (uint32_t)(set[l] & 1) << (q * B + l);
        }
        y[pixel] = bits & used_bits(word, a.channels);
    }
}

/* pixels side by side */
INLINE void pack_b1_planes(const float *x, uint32_t *y, struct pack_b1 a, int word) {
    const int channels = least(WORD, a.channels - word * WORD);
    x += (size_t)word * WORD * a.pixels;
    ROLLED for (int pixel = 0; pixel < a.pixels; pixel += B) {
        const int count = least(B, a.pixels - pixel);
        vu bits = {0};
        ROLLED for (int c = 0; c < channels; c++) {
            bits |= (vu)pack_b1_set(pack_b1_load(x + (size_t)c * a.pixels + pixel, count), a.above) & 1u << c;
        }
        memcpy(y + pixel, &bits, 4 * (size_t)count);
    }
}

INLINE void pack_b1(int begin, int end, struct pack_b1 a) {
    const int words = ceil_div(a.channels, WORD);
    ROLLED for (int chunk = begin; chunk < end; chunk++) {
        const float *x = a.x + chunk / words * a.x_image;
        uint32_t *y = a.y + (size_t)chunk * a.pixels;
        if (a.planar && a.pixels > 1) pack_b1_planes(x, y, a, chunk % words);
        else pack_b1_pixels(x, y, a, chunk % words);
    }
}
