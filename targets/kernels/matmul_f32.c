/* Batched matrix product of two computed tensors, planar: y[b] (m, n) = x[b] (m, k) * z[b] (k, n). A chunk is one row of one batch. */
#include "vector.h"

struct matmul_f32 {
    const float *x, *z;
    float *y;
    int batch, m, k, n;
    size_t x_batch, z_batch;        /* floats from one matrix to the next, 0 where broadcast */
    struct act act;
};

INLINE void matmul_f32(int begin, int end, struct matmul_f32 a) {
    for (int chunk = begin; chunk < end; chunk++) {
        const int b = chunk / a.m, i = chunk % a.m;
        const float *x = a.x + b * a.x_batch + (size_t)i * a.k, *z = a.z + b * a.z_batch;
        float *y = a.y + (size_t)chunk * a.n;
        for (int j = 0; j < a.n; j += B) {
            const int lanes = least(B, a.n - j);
            vf sum = splat(0.0f);
            ROLLED for (int k = 0; k < a.k; k++) {
                vf v = splat(0.0f);
                if (lanes == B) v = load(z + (size_t)k * a.n + j);
                else memcpy(&v, z + (size_t)k * a.n + j, 4 * (size_t)lanes);
                sum += v * x[k];
            }
            sum = activate(sum, a.act);
            memcpy(y + j, &sum, 4 * (size_t)lanes);
        }
    }
}
