/* Strided copy of a planar tensor of up to six axes: slice, transpose, pad, concat, expand.
 *
 * y[sum i*y_step] = x[sum i*x_step] for all i < dims; steps in floats.  fill_n > 0: y's first fill_n floats are set to `fill` before (padding).
 * One chunk. */
#include "vector.h"

struct copy_f32 {
    const float *x;
    float *y;
    int dims[6];
    ptrdiff_t x_step[6], y_step[6], x_start, y_start;
    size_t fill_n;
    float fill;
};

INLINE void copy_f32(int begin, int end, struct copy_f32 a) {
    if (begin >= end) return;
    for (size_t i = 0; i < a.fill_n; i++) a.y[i] = a.fill;
    for (int i0 = 0; i0 < a.dims[0]; i0++) for (int i1 = 0; i1 < a.dims[1]; i1++) for (int i2 = 0; i2 < a.dims[2]; i2++)
    for (int i3 = 0; i3 < a.dims[3]; i3++) for (int i4 = 0; i4 < a.dims[4]; i4++) {
        const float *x = a.x + a.x_start + i0 * a.x_step[0] + i1 * a.x_step[1] + i2 * a.x_step[2] + i3 * a.x_step[3] + i4 * a.x_step[4];
        float *y = a.y + a.y_start + i0 * a.y_step[0] + i1 * a.y_step[1] + i2 * a.y_step[2] + i3 * a.y_step[3] + i4 * a.y_step[4];
        ROLLED for (int i5 = 0; i5 < a.dims[5]; i5++) y[i5 * a.y_step[5]] = x[i5 * a.x_step[5]];
    }
}
