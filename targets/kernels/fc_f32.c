/* Fully connected: y[r][n] = act2(act(bias[n] + sum_k w[n][k] * x[r][k]) + residual[r][n]).
 *
 * x: rows of K floats.  w: (N/B, K, B).  y: rows of N floats, N need not be a multiple of B; the last block is stored in part when whole == 0.
 * With one row the time is that of reading the weights once: nv blocks and two halves of K keep enough sums in flight.
 * A chunk is panel_chunk panels of nv blocks, for all rows. */
#include "vector.h"

struct fc_f32 {
    const float *x, *w, *bias, *residual;
    float *y;
    int rows, k, n, whole;
    size_t x_row, y_row;
    int nv, panel_chunk;
    struct act act, act2;
};

enum { FC_NV = 4 };

INLINE void fc_store(struct fc_f32 a, int row, int block, vf v) {
    const size_t at = row * a.y_row + (size_t)block * B;
    const int lanes = a.whole ? B : least(B, a.n - block * B);
    v = activate(v, a.act);
    if (a.residual) {
        vf r = splat(0.0f);
        memcpy(&r, a.residual + at, 4 * (size_t)lanes);
        v = activate(v + r, a.act2);
    }
    if (lanes == B) store(a.y + at, v);
    else memcpy(a.y + at, &v, 4 * (size_t)lanes);
}

INLINE void fc_tile(struct fc_f32 a, int row, int block, int nv) {
    vf even[FC_NV], odd[FC_NV];
    const size_t panel = (size_t)a.k * B;
    const float *x = a.x + row * a.x_row, *w = a.w + block * panel;
    UNROLLED for (int n = 0; n < nv; n++) even[n] = a.bias ? load(a.bias + (block + n) * B) : splat(0.0f), odd[n] = splat(0.0f);
    int k = 0;
    if (BY_ELEMENT) {
        const float *weights[FC_NV];
        UNROLLED for (int n = 0; n < nv; n++) weights[n] = own_pointer(w + n * panel);
        ROLLED for (; k + B <= a.k; k += B) {
            const vf block = load(x + k);
            vf weight[FC_NV][B];
            UNROLLED for (int n = 0; n < nv; n++) load_run(weight[n], &weights[n], B, B * B);
            UNROLLED for (int l = 0; l < B; l += 2) {
                UNROLLED for (int n = 0; n < nv; n++) even[n] += weight[n][l] * splat(block[l]), odd[n] += weight[n][l + 1] * splat(block[l + 1]);
            }
        }
        w += (size_t)k * B;
    }
    ROLLED for (; k + 2 <= a.k; k += 2, w += 2 * B) {
        vf first = splat(x[k]), second = splat(x[k + 1]);
        UNROLLED for (int n = 0; n < nv; n++) even[n] += load(w + n * panel) * first, odd[n] += load(w + n * panel + B) * second;
    }
    if (a.k % 2) {
        UNROLLED for (int n = 0; n < nv; n++) even[n] += load(w + n * panel) * splat(x[a.k - 1]);
    }
    UNROLLED for (int n = 0; n < nv; n++) fc_store(a, row, block + n, even[n] + odd[n]);
}

INLINE void fc_f32(int begin, int end, struct fc_f32 a) {
    const int blocks = ceil_div(a.n, B), panels = ceil_div(blocks, a.nv);
    const int first = begin * a.panel_chunk, last = least(end * a.panel_chunk, panels);
    for (int panel = first; panel < last; panel++) {
        for (int row = 0; row < a.rows; row++) {
            if (blocks % a.nv && panel == panels - 1) fc_tile(a, row, panel * a.nv, blocks % a.nv);
            else fc_tile(a, row, panel * a.nv, a.nv);
        }
    }
}
