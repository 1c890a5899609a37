/* A list as numbers again: y is (steps, channels, pixels). */
#include "events.h"

struct dense_events_f32 {
    const int32_t *x;
    float *y;
    int steps, channels, pixels, valued, room;
};

INLINE void dense_events_f32(int begin, int end, struct dense_events_f32 a) {
    (void)begin, (void)end;
    const size_t size = (size_t)a.channels * a.pixels;
    const struct events x = events_at((int32_t *)a.x, a.steps, a.room, a.valued);
    const int ones = all_ones(a.x, a.steps, a.valued);
    memset(a.y, 0, 4 * size * a.steps);
    ROLLED for (int t = 0; t < a.steps; t++) {
        float *y = a.y + t * size;
        ROLLED for (int i = x.begin[t]; i < x.begin[t + 1]; i++) {
            const int place = x.index[i];
            y[channel_of(place, a.pixels) * a.pixels + pixel_of(place, a.pixels)] += ones ? 1.0f : x.value[i];
        }
    }
}
