/* Neurons whose currents are numbers: of each step a picture (blocks, pixels, B), or one that stays the same. */
#include "events.h"

struct fire_f32 {
    const float *x, *parameters, *v;
    int32_t *y;
    float *next;
    uint64_t *counts;
    int steps, channels, pixels, same, each, leak, above, reset, multi;
};

INLINE void fire_f32(int begin, int end, struct fire_f32 a) {
    (void)begin, (void)end;
    const int blocks = ceil_div(a.channels, B);
    const size_t picture = (size_t)blocks * a.pixels * B;
    float *dense = a.leak && a.next ? (float *)a.y : NULL;
    struct cells c = {a.parameters, a.leak && !a.next ? (float *)a.y : a.next, dense, {0}, blocks, 1, a.pixels, a.channels, 1, a.pixels, 0, 0,
                      a.each, a.leak, a.above, a.reset, a.multi};
    if (!a.leak) c.y = events_at(a.y, a.steps, a.channels * a.pixels, a.multi), c.y.begin[0] = 0;
    cells_begin(c, a.v, NULL);
    int n = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        const float *x = a.same ? a.x : a.x + t * picture;
        ROLLED for (int block = 0; block < blocks; block++) {
            ROLLED for (int pixel = 0; pixel < a.pixels; pixel++) n = cell_step(c, n, block, pixel, load(x + ((size_t)block * a.pixels + pixel) * B));
        }
        if (c.dense) c.dense += picture;
        if (!a.leak) c.y.begin[t + 1] = n;
    }
    if (!a.leak) c.y.begin[a.steps + 1] = !a.multi;
    count_events(a.counts, 0, (uint64_t)a.steps * a.channels * a.pixels, n);
}
