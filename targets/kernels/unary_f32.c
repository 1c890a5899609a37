/* y[i] = act(x[i]) over n floats; a chunk is `chunk` floats. */
#include "vector.h"

struct unary_f32 {
    const float *x;
    float *y;
    size_t n, chunk;
    struct act act;
};

INLINE void unary_f32(int begin, int end, struct unary_f32 a) {
    size_t i = (size_t)begin * a.chunk, last = (size_t)end * a.chunk < a.n ? (size_t)end * a.chunk : a.n;
    ROLLED for (; i + B <= last; i += B) store(a.y + i, activate(load(a.x + i), a.act));
    if (i < last) {
        vf v = splat(1.0f);
        memcpy(&v, a.x + i, 4 * (last - i));
        v = activate(v, a.act);
        memcpy(a.y + i, &v, 4 * (last - i));
    }
}
