/* The numbers that are not zero, as a list; where they are but spikes, those above one half.  x: (steps, channels, pixels). */
#include "events.h"

struct events_f32 {
    const float *x;
    int32_t *y;
    int steps, channels, pixels, spikes;
};

/* The `size` numbers of a row, whose places are `step` apart. */
INLINE int events_f32_row(struct events_f32 a, struct events y, int n, const float *x, int size, int first, int step, int *ones) {
    ROLLED for (int i = 0; i < size; i += B) {
        vf v = splat(0.0f);
        if (i + B <= size) v = load(x + i);
        else memcpy(&v, x + i, 4 * (size_t)(size - i));
        const uint32_t bits = lanes_of(a.spikes ? v > splat(0.5f) : v != splat(0.0f));
        if (!bits && !lists_blindly(y)) continue;
        n = listed_every(y, n, first + i * step, step, bits, v);
        if (!a.spikes) *ones &= bits == lanes_of(v == splat(1.0f));
    }
    return n;
}

INLINE void events_f32(int begin, int end, struct events_f32 a) {
    (void)begin, (void)end;
    const int size = a.channels * a.pixels;
    const struct events y = events_at(a.y, a.steps, size, !a.spikes);
    int n = 0, ones = 1;
    y.begin[0] = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        const float *x = a.x + (size_t)t * size;
        if (a.pixels == 1) n = events_f32_row(a, y, n, x, size, 0, 1, &ones);
        else {
            ROLLED for (int c = 0; c < a.channels; c++) {
                n = events_f32_row(a, y, n, x + (size_t)c * a.pixels, a.pixels, place_of(c, 0, a.pixels), B, &ones);
            }
        }
        y.begin[t + 1] = n;
    }
    y.begin[a.steps + 1] = ones;
}
