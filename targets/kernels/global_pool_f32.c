/* Global average pooling: (C/B, pixels, B) -> (C/B, 1, B). A chunk is one block of one image. */
#include "vector.h"

struct global_pool_f32 {
    const float *x;
    float *y;
    int images, blocks, pixels;
    size_t x_image, y_image;
    struct act act;
};

INLINE void global_pool_f32(int begin, int end, struct global_pool_f32 a) {
    for (int chunk = begin; chunk < end; chunk++) {
        const int image = chunk / a.blocks, block = chunk % a.blocks;
        const float *x = a.x + image * a.x_image + (size_t)block * a.pixels * B;
        vf sum[8];
        UNROLLED for (int i = 0; i < 8; i++) sum[i] = splat(0.0f);
        int p = 0;
        ROLLED for (; p + 8 <= a.pixels; p += 8) {
            UNROLLED for (int i = 0; i < 8; i++) sum[i] += load(x + (size_t)(p + i) * B);
        }
        ROLLED for (; p < a.pixels; p++) sum[0] += load(x + (size_t)p * B);
        vf total = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
        store(a.y + image * a.y_image + (size_t)block * B, activate(total * (1.0f / (float)a.pixels), a.act));
    }
}
