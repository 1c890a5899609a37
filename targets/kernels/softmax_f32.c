/* Softmax over the middle axis of (outer, n, inner), planar: y = exp(x - max) / sum. logarithm != 0 gives log softmax. A chunk is one outer index. */
#include "vector.h"

struct softmax_f32 {
    const float *x;
    float *y;
    int outer, n, inner, logarithm;
};

INLINE void softmax_f32(int begin, int end, struct softmax_f32 a) {
    for (int o = begin; o < end; o++) {
        for (int i = 0; i < a.inner; i++) {
            const float *x = a.x + (size_t)o * a.n * a.inner + i;
            float *y = a.y + (size_t)o * a.n * a.inner + i;
            float top = x[0], sum = 0.0f;
            for (int k = 1; k < a.n; k++) top = x[(size_t)k * a.inner] > top ? x[(size_t)k * a.inner] : top;
            for (int k = 0; k < a.n; k++) sum += y[(size_t)k * a.inner] = expf(x[(size_t)k * a.inner] - top);
            for (int k = 0; k < a.n; k++) {
                float *at = y + (size_t)k * a.inner;
                *at = a.logarithm ? x[(size_t)k * a.inner] - top - logf(sum) : *at / sum;
            }
        }
    }
}
