/* Sums over windows of a list: every spike, `gain` times its value, goes to the windows that hold it.  x: steps of (channels, h * wide).
 * y: a list whose places may come more than once; it has room for `capacity` a step.
 * table: of each pixel the one window that holds it, or -1; NULL where windows overlap. */
#include "events.h"

struct pool_events_f32 {
    const int32_t *x, *table;
    int32_t *y;
    int steps, channels, h, wide, valued, room, oh, ow, kh, kw, sh, sw, top, left, capacity, y_valued;
    float gain;
};

INLINE void pool_events_f32(int begin, int end, struct pool_events_f32 a) {
    (void)begin, (void)end;
    const int size = a.h * a.wide, ones = all_ones(a.x, a.steps, a.valued);
    const struct events x = events_at((int32_t *)a.x, a.steps, a.room, a.valued), y = events_at(a.y, a.steps, a.capacity, a.y_valued);
    int n = 0;
    y.begin[0] = 0;
    ROLLED for (int t = 0; t < a.steps; t++) {
        ROLLED for (int i = x.begin[t]; i < x.begin[t + 1]; i++) {
            const int place = x.index[i], pixel = pixel_of(place, size), channel = channel_of(place, size);
            if (a.table) {
                const int to = a.table[pixel];
                y.index[n] = place_of(channel, to, a.oh * a.ow);
                if (a.y_valued) y.value[n] = ones ? a.gain : a.gain * x.value[i];
                n += to >= 0;
                continue;
            }
            const int row = (int)((unsigned)pixel / (unsigned)a.wide) + a.top, column = (int)((unsigned)pixel % (unsigned)a.wide) + a.left;
            const int y0 = row < a.kh ? 0 : (row - a.kh) / a.sh + 1, y1 = least(row / a.sh, a.oh - 1);
            const int x0 = column < a.kw ? 0 : (column - a.kw) / a.sw + 1, x1 = least(column / a.sw, a.ow - 1);
            const float value = ones ? a.gain : a.gain * x.value[i];
            for (int oy = y0; oy <= y1; oy++) {
                for (int ox = x0; ox <= x1; ox++) {
                    y.index[n] = place_of(channel, oy * a.ow + ox, a.oh * a.ow);
                    if (a.y_valued) y.value[n] = value;
                    n++;
                }
            }
        }
        y.begin[t + 1] = n;
    }
    y.begin[a.steps + 1] = ones && a.gain == 1.0f;
}
