/* A tile of sums: mr pixels x nv output blocks, in registers from the first input channel to the last.  On Arm its inner loop is here. */
#ifndef EDGE_TILE_H
#define EDGE_TILE_H
#include "vector.h"

enum { TILE_MR = 16, TILE_NV = 4, TILE_ROW = 10 };

/* The same number, in a register of its own: Arm moves a pointer by a register while it loads. */
INLINE size_t own_number(size_t n) {
    if (BY_ELEMENT) __asm__("" : "+r"(n));
    return n;
}
/* Compiler barrier without an instruction: forces b after a. Otherwise LLVM schedules dependent FMAs back to
 * back. GCC orders them well, and would spill. */
INLINE void after(vf *b, const vf *a) {
#if defined(__aarch64__) && defined(__clang__) && EDGE_BLOCK == 4
    __asm__("" : "+w"(*b) : "w"(*a));
#else
    (void)a, (void)b;
#endif
}

/* What follows in the source waits for all mr sums of output block n. */
INLINE void tile_turn(vf acc[][TILE_NV], int mr, int n) {
    UNROLLED for (int p = 0; p < mr - 1; p++) after(&acc[mr - 1][n], &acc[p][n]);
    UNROLLED for (int p = 0; p < mr - 1; p++) after(&acc[p][n], &acc[mr - 1][n]);
}

/* What tile_lanes is told of the way from one block of channels to the next, once before its loop: plane floats lie between. */
INLINE size_t tile_step(size_t plane, int apart, int mr) { return own_number(apart == B ? plane - (mr - 1) / 4 * 4 * B : plane); }

/* acc[p][n] += sum over l < lanes of x[p*apart + first + l] * w[n][l*B ..]: lanes of one block of input channels.
 * w moves behind them, x to the next block by `step`.  apart == B: the pixels lie one behind the other. */
INLINE void tile_lanes(vf acc[][TILE_NV], const float **x, const float *w[TILE_NV], int apart, size_t step, int first, int lanes, int mr, int nv) {
    vf block[TILE_MR];
    if (apart == B) {
        UNROLLED for (int p = 0; p < mr; p += 4) load_run(block + p, x, least(4, mr - p), p + 4 < mr ? 4 * B : step);
    } else {
        UNROLLED for (int p = 0; p < mr; p++) block[p] = load(*x + p * apart);
        *x = own_pointer(*x + step);
    }
    UNROLLED for (int n = 0; n < nv; n++) {
        vf weight[B];
        load_run(weight, &w[n], lanes, lanes * B);
        UNROLLED for (int l = 0; l < lanes; l++) {
            UNROLLED for (int p = 0; p < mr; p++) acc[p][n] += weight[l] * splat(block[p][first + l]);
            tile_turn(acc, mr, n);
        }
    }
}

/* One row of one plane of a picture: acc[p][n] += sum over dx of x[p*sw + dx*dw] * w[n*panel + dx*tap ..], where lo <= p*sw + dx*dw < hi.
 * The row is read once, in vectors; the last one ends where the row does, so nothing behind hi is touched.  hi - lo >= B. */
INLINE void tile_row(vf acc[][TILE_NV], const float *x, const float *w, size_t panel, size_t tap, int kw, int sw, int dw, int lo, int hi, int mr, int nv) {
    vf row[TILE_ROW];
    UNROLLED for (int v = 0; lo + v * B < hi; v++) row[v] = load(x + least(lo + v * B, hi - B));
    UNROLLED for (int dx = 0; dx < kw; dx++) {
        UNROLLED for (int n = 0; n < nv; n++) {
            const vf weight = load(w + n * panel + dx * tap);
            UNROLLED for (int p = 0; p < mr; p++) {
                const int at = p * sw + dx * dw, v = (at - lo) / B;
                if (at >= lo && at < hi) acc[p][n] += weight * splat(row[v][at - least(lo + v * B, hi - B)]);
            }
            tile_turn(acc, mr, n);
        }
    }
}
#endif
