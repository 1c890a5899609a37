/* Reduction over the middle axis of (outer, n, inner), planar. op 0 sum, 1 mean, 2 max, 3 min. A chunk is one outer index. */
#include "vector.h"

struct reduce_f32 {
    const float *x;
    float *y;
    int op, outer, n, inner;
    struct act act;
};

INLINE void reduce_f32(int begin, int end, struct reduce_f32 a) {
    for (int o = begin; o < end; o++) {
        for (int i = 0; i < a.inner; i++) {
            const float *x = a.x + (size_t)o * a.n * a.inner + i;
            float best = x[0];
            double sum = x[0];
            for (int k = 1; k < a.n; k++) {
                const float v = x[(size_t)k * a.inner];
                sum += v;
                if ((a.op == 2 ? v > best : v < best) || v != v) best = v;  /* nothing replaces a NaN but another */
            }
            const float r = a.op == 0 ? (float)sum : a.op == 1 ? (float)(sum / a.n) : best;
            a.y[(size_t)o * a.inner + i] = activate(splat(r), a.act)[0];
        }
    }
}
