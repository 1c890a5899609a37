/* Vectors of one channel block, and the activations that kernels apply to them while they are in registers.
 *
 * A vector holds EDGE_BLOCK floats whatever the machine has; the compiler splits it into the registers of the ISA level.
 * Infinities, NaN and far tails end as docs/numbers.md lists them, on every level and in every lane: NaN passes through every activation. */
#ifndef EDGE_VECTOR_H
#define EDGE_VECTOR_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __aarch64__
#include <arm_neon.h>
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"  /* vectors only pass between functions that are inlined */
#endif

#ifndef EDGE_BLOCK
#define EDGE_BLOCK 16
#endif
enum { B = EDGE_BLOCK };

/* aligned(4): user memory and planar rows start anywhere; on machines of the last ten years an aligned address costs the same either way */
typedef float vf __attribute__((vector_size(4 * EDGE_BLOCK), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(4 * EDGE_BLOCK), aligned(4), may_alias));
typedef uint32_t vu __attribute__((vector_size(4 * EDGE_BLOCK), aligned(4), may_alias));  /* bits that wrap around: signed ones must not */

#define INLINE static inline __attribute__((always_inline, unused))
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#define UNROLL4 _Pragma("clang loop unroll_count(4)")
#define ROLLED _Pragma("clang loop unroll(disable)")
#else
#define UNROLLED _Pragma("GCC unroll 32")
#define UNROLL4 _Pragma("GCC unroll 4")
#define ROLLED _Pragma("GCC unroll 1")
#endif

/* On Arm fmla multiplies by one element of a register, so a block of inputs is loaded once and never broadcast; on x86 a broadcast load is as
 * cheap as a load, and a register that holds a block would be lost to the sums. */
#ifndef EDGE_BY_ELEMENT
#ifdef __aarch64__
#define EDGE_BY_ELEMENT 1
#else
#define EDGE_BY_ELEMENT 0
#endif
#endif
enum { BY_ELEMENT = EDGE_BY_ELEMENT };
_Static_assert(!BY_ELEMENT || B == 4, "elements are taken from blocks of one register");

INLINE vf load(const float *p) { return *(const vf *)p; }
INLINE void store(float *p, vf v) { *(vf *)p = v; }
INLINE vf splat(float s) { return s - (vf){0}; }
/* The same address, of which the compiler forgets how it came about: it stays in a register of its own, which loads move. */
INLINE const float *own_pointer(const float *p) {
    if (BY_ELEMENT) __asm__("" : "+r"(p));
    return p;
}
/* Loads `count` <= 4 vectors that lie one behind the other, and moves the pointer by `move` floats: on Arm one instruction does both.
 * GCC 12 stops at these intrinsics with an internal error when the pointer lies in an array, and loads pairs. */
INLINE void load_run(vf *to, const float **from, int count, size_t move) {
#if defined(__aarch64__) && defined(__clang__) && EDGE_BLOCK == 4
    if (count == 4) {
        const float32x4x4_t run = vld1q_f32_x4(*from);
        UNROLLED for (int i = 0; i < 4; i++) to[i] = (vf)run.val[i];
    } else if (count == 3) {
        const float32x4x3_t run = vld1q_f32_x3(*from);
        UNROLLED for (int i = 0; i < 3; i++) to[i] = (vf)run.val[i];
    } else if (count == 2) {
        const float32x4x2_t run = vld1q_f32_x2(*from);
        UNROLLED for (int i = 0; i < 2; i++) to[i] = (vf)run.val[i];
    } else to[0] = load(*from);
#else
    UNROLLED for (int i = 0; i < 4; i++) {
        if (i < count) to[i] = load(*from + i * B);
    }
#endif
    *from = own_pointer(*from + move);
}
/* Loads behind it are made anew: what one tile keeps in registers does not add to the next one's. */
INLINE void forget(void) { __asm__ volatile("" ::: "memory"); }
INLINE int least(int a, int b) { return a < b ? a : b; }
INLINE int most(int a, int b) { return a > b ? a : b; }
INLINE int ceil_div(int a, int b) { return (a + b - 1) / b; }

/* mask lanes are all ones or all zeros, as vector comparisons give them */
INLINE vf choose(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
/* vmax, vmin: NaN where a is NaN, which is one instruction everywhere; vmax_any, vmin_any: where either is */
#if defined(__aarch64__) && EDGE_BLOCK == 4  /* fmax and fmin pass any NaN on; x86's maxps does not */
INLINE vf vmax(vf a, vf b) { return (vf)vmaxq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vf vmin(vf a, vf b) { return (vf)vminq_f32((float32x4_t)a, (float32x4_t)b); }
INLINE vf vmax_any(vf a, vf b) { return vmax(a, b); }
INLINE vf vmin_any(vf a, vf b) { return vmin(a, b); }
#else
INLINE vf vmax(vf a, vf b) { return choose(a < b, b, a); }
INLINE vf vmin(vf a, vf b) { return choose(a > b, b, a); }
INLINE vf vmax_any(vf a, vf b) { return choose(b != b, b, vmax(a, b)); }
INLINE vf vmin_any(vf a, vf b) { return choose(b != b, b, vmin(a, b)); }
#endif
INLINE vf at_least(vf v, float lo) { return vmax(v, splat(lo)); }
INLINE vf at_most(vf v, float hi) { return vmin(v, splat(hi)); }
INLINE vf vabs(vf v) { return (vf)((vi)v & 0x7fffffff); }

/* exp(v) = scale * (1 + tail), scale = 2^n, |tail| < 0.42, relative error < 2e-7 between -87.3 and 88.37; below, as at -87.3.
 * Above, n is 128 and its bits are those of infinity, so that a sigmoid far to the left is 0 and not merely small. */
struct power {
    vf scale, tail;
};
INLINE struct power vpower(vf v) {
    const float to_int = 12582912.0f;  /* 1.5 * 2^23: adding it leaves the rounded integer in the low bits */
    vf x = at_most(at_least(v, -87.33f), 88.8f);
    vf shifted = x * 1.44269504f + to_int;
    vf n = shifted - to_int;
    vf r = x - n * 0.693359375f;
    r = r - n * -2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;   /* minimax, Cephes expf */
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r;
    return (struct power){(vf)(((vu)shifted << 23) + 0x3f800000u), p};  /* of a NaN the tail is NaN, whatever the bits of the scale are */
}
INLINE vf vexp(vf v) {
    const struct power e = vpower(v);
    return (e.tail + 1.0f) * e.scale;
}
/* exp(v) - 1 for v <= 0, without cancellation near 0 */
INLINE vf vexpm1(vf v) {
    const struct power e = vpower(v);
    return e.tail * e.scale + (e.scale - 1.0f);
}

INLINE vf vsigmoid(vf v) { return 1.0f / (1.0f + vexp(-v)); }

/* tanh(v) = 1 - 2 / (1 + exp(2v)); near zero an odd series keeps the relative error below 1e-6 */
INLINE vf vtanh(vf v) {
    vf square = v * v;
    vf small = v + v * square * (square * (square * -0.0539682540f + 0.1333333333f) - 0.3333333333f);
    return choose(vabs(v) < splat(0.25f), small, 1.0f - 2.0f / (1.0f + vexp(v * 2.0f)));
}

/* erf(v), absolute error < 4e-7: v * P(v*v) on |v| < 3.7, beyond which erf is 1 to 2e-7; P fitted by benchmarks/fit_erf.py.
 * P stays what it is at 3.7, so that the product grows beyond 1 and is cut to exactly 1: GELU multiplies what is missing by v.
 * An fmla overwrites what it adds to, so on Arm every coefficient is loaded anew, four an instruction, where a copy would take one each. */
INLINE vf verf(vf v) {
    enum { TERMS = 14, EACH = BY_ELEMENT ? B : 1 };
#define C(c) {[0 ... EACH - 1] = c}
    static const float c[TERMS][EACH] = {C(-1.504680366e-03f), C(3.927414944e-03f), C(-3.647323284e-03f), C(5.223217776e-03f), C(-1.415171785e-02f),
                                          C(2.514615567e-02f), C(-3.620024508e-02f), C(5.147535174e-02f), C(-7.043664203e-02f), C(9.062488791e-02f),
                                          C(-1.126455631e-01f), C(1.407895353e-01f), C(-1.904677322e-01f), C(3.821375266e-01f)};
#undef C
    vf u = at_most(v * v * (2.0f / (3.7f * 3.7f)) - 1.0f, 1.0f), p;
    if (BY_ELEMENT) {
        const float *at = own_pointer(c[0]);
        vf next[TERMS];
        UNROLLED for (int i = 0; i < TERMS; i += 4) load_run(next + i, &at, least(4, TERMS - i), 4 * B);
        vf square = u * u, odd = next[0], even = next[1];  /* two sums, as each product waits for the last */
        UNROLLED for (int i = 2; i < TERMS; i += 2) odd = odd * square + next[i], even = even * square + next[i + 1];
        p = odd * u + even;
    } else {
        p = splat(c[0][0]);
        UNROLLED for (int i = 1; i < TERMS; i++) p = p * u + c[i][0];
    }
    return at_most(at_least(v * p, -1.0f), 1.0f);
}

#define ACTIVATION_KINDS
#include "activations.h"  /* enum activation: written for each model from the table of sdk/words/post.py */
#undef ACTIVATION_KINDS

/* One activation with its two parameters: bounds of a clip, slope and offset of a hard sigmoid, slope of a leaky relu, … */
struct act {
    int kind;
    float a, b;
};

INLINE vf vsqrt(vf v) {
    vf r;
    UNROLLED for (int i = 0; i < B; i++) r[i] = sqrtf(v[i]);
    return r;
}

INLINE vf vlog(vf v) {
    vf r;
    ROLLED for (int i = 0; i < B; i++) r[i] = logf(v[i]);
    return r;
}

INLINE vf vfloor(vf v) {
    vf r;
    UNROLLED for (int i = 0; i < B; i++) r[i] = floorf(v[i]);
    return r;
}

INLINE vf vgelu(vf v) {
    vf half = v * 0.5f;
    return half + half * verf(v * 0.70710678f);
}

/* overflows and underflows as expf does */
INLINE vf vexp_whole(vf v) {
    vf root = vexp(v * 0.5f);
    return root * root;
}

/* Bit mask of the activations this file uses. Unused cases are removed before optimisation, which halves compile
 * time. */
#ifndef EDGE_ACTS
#define EDGE_ACTS (~0u)
#endif
#define KIND(name) case ACT_##name: if (!((EDGE_ACTS) >> ACT_##name & 1)) break;
#include "activations.h"  /* is_long, activate */
#undef KIND
#endif
