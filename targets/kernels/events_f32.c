/* The numbers that are not zero, as a list; where they are but spikes, those above one half.  x: (steps, channels, pixels). */
#include "events.h"

struct events_f32 {
    const float *x;
    int32_t *y;
    int steps, channels, pixels, spikes;
};

INLINE int events_f32_place(struct events_f32 a, int at) { return a.pixels == 1 ? at : place_of(at / a.pixels, at % a.pixels, a.pixels); }

INLINE void events_f32(int begin, int end, struct events_f32 a) {
    (void)begin, (void)end;
    const int size = a.channels * a.pixels;
    const struct events y = events_at(a.y, a.steps, size, !a.spikes);
    int n = 0, ones = 1;
    y.begin[0] = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        const float *x = a.x + (size_t)t * size;
        ROLLED for (int i = 0; i < size; i += B) {
            vf v = splat(0.0f);
            if (i + B <= size) v = load(x + i);
            else memcpy(&v, x + i, 4 * (size_t)(size - i));
            for (uint32_t bits = lanes_of(a.spikes ? v > splat(0.5f) : v != splat(0.0f)); bits; bits &= bits - 1) {
                const int lane = __builtin_ctz(bits);
                y.index[n] = events_f32_place(a, i + lane);
                if (!a.spikes) y.value[n] = x[i + lane], ones &= x[i + lane] == 1.0f;
                n++;
            }
        }
        y.begin[t + 1] = n;
    }
    y.begin[a.steps + 1] = ones;
}
