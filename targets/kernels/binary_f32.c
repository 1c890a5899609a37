/* y = act(p op q) with numpy broadcasting, over five outer axes and one inner axis of n floats.
 *
 * p, q: an outer step in floats per axis (0 where broadcast); along the inner axis they either advance by one or stand still.  y: dense.
 * A chunk is one index of outer axes 0 and 1. */
#include "vector.h"

enum binary { BINARY_ADD, BINARY_SUB, BINARY_MUL, BINARY_DIV, BINARY_MIN, BINARY_MAX, BINARY_POW, BINARY_PRELU };

struct binary_f32 {
    const float *p, *q;
    float *y;
    int op, dims[5], n, p_moves, q_moves;
    ptrdiff_t p_step[5], q_step[5];
    struct act act;
};

INLINE vf binary_apply(int op, vf p, vf q) {
    switch (op) {
    case BINARY_ADD: return p + q;
    case BINARY_SUB: return p - q;
    case BINARY_MUL: return p * q;
    case BINARY_DIV: return p / q;
    case BINARY_MIN: return vmin_any(p, q);
    case BINARY_MAX: return vmax_any(p, q);
    case BINARY_PRELU: return choose(p < splat(0.0f), p * q, p);
    default: {
        vf r;
        ROLLED for (int i = 0; i < B; i++) r[i] = powf(p[i], q[i]);
        return r;
    }
    }
}

INLINE vf binary_load(const float *p, int moves, int lanes) {
    if (!moves) return splat(*p);
    if (lanes == B) return load(p);
    vf v = splat(1.0f);
    memcpy(&v, p, 4 * (size_t)lanes);
    return v;
}

INLINE void binary_run(struct binary_f32 a, const float *p, const float *q, float *y) {
    int i = 0;
    ROLLED for (; i + B <= a.n; i += B, p += a.p_moves * B, q += a.q_moves * B) {
        store(y + i, activate(binary_apply(a.op, binary_load(p, a.p_moves, B), binary_load(q, a.q_moves, B)), a.act));
    }
    if (a.n % B) {
        vf v = activate(binary_apply(a.op, binary_load(p, a.p_moves, a.n % B), binary_load(q, a.q_moves, a.n % B)), a.act);
        memcpy(y + i, &v, 4 * (size_t)(a.n % B));
    }
}

INLINE void binary_f32(int begin, int end, struct binary_f32 a) {
    for (int chunk = begin; chunk < end; chunk++) {
        const int i0 = chunk / a.dims[1], i1 = chunk % a.dims[1];
        float *y = a.y + (size_t)chunk * a.dims[2] * a.dims[3] * a.dims[4] * a.n;
        for (int i2 = 0; i2 < a.dims[2]; i2++) {
            for (int i3 = 0; i3 < a.dims[3]; i3++) {
                const float *p = a.p + i0 * a.p_step[0] + i1 * a.p_step[1] + i2 * a.p_step[2] + i3 * a.p_step[3];
                const float *q = a.q + i0 * a.q_step[0] + i1 * a.q_step[1] + i2 * a.q_step[2] + i3 * a.q_step[3];
                ROLLED for (int i4 = 0; i4 < a.dims[4]; i4++, p += a.p_step[4], q += a.q_step[4], y += a.n) binary_run(a, p, q, y);
            }
        }
    }
}
