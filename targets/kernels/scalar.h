/* Functions of single numbers for the generic loops, one for each function and element type: add_f32, lt_s64, …
 *
 * Integers wrap.  A division by zero gives 0, a shift by the width or more gives 0 (-1 to the right of a negative number), a float that does not fit an integer gives the
 * nearest bound and NaN gives 0: nothing here is undefined behaviour. */
#ifndef EDGE_SCALAR_H
#define EDGE_SCALAR_H
#include <math.h>
#include <stdint.h>

#define SCALAR static inline __attribute__((always_inline, unused))

/* ---- floats */
#define FLOAT_OPS(T, C, F)                                                                    \
    SCALAR C add_##T(C a, C b) { return a + b; }                                              \
    SCALAR C sub_##T(C a, C b) { return a - b; }                                              \
    SCALAR C mul_##T(C a, C b) { return a * b; }                                              \
    SCALAR C div_##T(C a, C b) { return a / b; }                                              \
    SCALAR C rem_##T(C a, C b) { return fmod##F(a, b); }                                      \
    SCALAR C mod_##T(C a, C b) {                                                              \
        const C r = fmod##F(a, b);                                                            \
        if (r == 0) return copysign##F(0, b);                                                 \
        return (r < 0) != (b < 0) ? r + b : r;                                                \
    }                                                                                         \
    SCALAR C pow_##T(C a, C b) { return pow##F(a, b); }                                       \
    SCALAR C min_##T(C a, C b) { return a != a || b != b ? a + b : a < b ? a : b; }           \
    SCALAR C max_##T(C a, C b) { return a != a || b != b ? a + b : a > b ? a : b; }           \
    SCALAR C neg_##T(C a) { return -a; }                                                      \
    SCALAR C abs_##T(C a) { return fabs##F(a); }                                              \
    SCALAR C sign_##T(C a) { return a > 0 ? 1 : a < 0 ? -1 : a; }                             \
    SCALAR C floor_##T(C a) { return floor##F(a); }                                           \
    SCALAR C ceil_##T(C a) { return ceil##F(a); }                                             \
    SCALAR C round_##T(C a) { return rint##F(a); }                                            \
    SCALAR C trunc_##T(C a) { return trunc##F(a); }                                           \
    SCALAR C sqrt_##T(C a) { return sqrt##F(a); }                                             \
    SCALAR C exp_##T(C a) { return exp##F(a); }                                               \
    SCALAR C log_##T(C a) { return log##F(a); }                                               \
    SCALAR C sin_##T(C a) { return sin##F(a); }                                               \
    SCALAR C cos_##T(C a) { return cos##F(a); }                                               \
    SCALAR C tan_##T(C a) { return tan##F(a); }                                               \
    SCALAR C asin_##T(C a) { return asin##F(a); }                                             \
    SCALAR C acos_##T(C a) { return acos##F(a); }                                             \
    SCALAR C atan_##T(C a) { return atan##F(a); }                                             \
    SCALAR C sinh_##T(C a) { return sinh##F(a); }                                             \
    SCALAR C cosh_##T(C a) { return cosh##F(a); }                                             \
    SCALAR C tanh_##T(C a) { return tanh##F(a); }                                             \
    SCALAR C asinh_##T(C a) { return asinh##F(a); }                                           \
    SCALAR C acosh_##T(C a) { return acosh##F(a); }                                           \
    SCALAR C atanh_##T(C a) { return atanh##F(a); }                                           \
    SCALAR C erf_##T(C a) { return erf##F(a); }                                               \
    SCALAR uint8_t isnan_##T(C a) { return a != a; }                                          \
    SCALAR uint8_t isinf_##T(C a) { return fabs##F(a) == (C)INFINITY; }

/* ---- integers: unsigned arithmetic, which wraps, in at least 32 bits */
#define INTEGER_OPS(T, C, U, W)                                                               \
    SCALAR C add_##T(C a, C b) { return (C)(U)((W)a + (W)b); }                                \
    SCALAR C sub_##T(C a, C b) { return (C)(U)((W)a - (W)b); }                                \
    SCALAR C mul_##T(C a, C b) { return (C)(U)((W)a * (W)b); }                                \
    SCALAR C min_##T(C a, C b) { return a < b ? a : b; }                                      \
    SCALAR C max_##T(C a, C b) { return a > b ? a : b; }                                      \
    SCALAR C bitand_##T(C a, C b) { return (C)(a & b); }                                      \
    SCALAR C bitor_##T(C a, C b) { return (C)(a | b); }                                       \
    SCALAR C bitxor_##T(C a, C b) { return (C)(a ^ b); }                                      \
    SCALAR C bitnot_##T(C a) { return (C)~a; }                                                \
    SCALAR C power_##T(C a, C b) {                                                            \
        W result = 1, base = (W)a;                                                            \
        for (uint64_t n = (uint64_t)b; n; n >>= 1, base *= base) {                            \
            if (n & 1) result *= base;                                                        \
        }                                                                                     \
        return (C)(U)result;                                                                  \
    }
#define SIGNED_OPS(T, C, U, W)                                                                \
    INTEGER_OPS(T, C, U, W)                                                                   \
    SCALAR C neg_##T(C a) { return (C)(U)(0 - (W)a); }                                        \
    SCALAR C abs_##T(C a) { return a < 0 ? neg_##T(a) : a; }                                  \
    SCALAR C sign_##T(C a) { return (C)((a > 0) - (a < 0)); }                                 \
    SCALAR C div_##T(C a, C b) { return b == 0 ? 0 : b == -1 ? neg_##T(a) : (C)(a / b); }     \
    SCALAR C rem_##T(C a, C b) { return b == 0 || b == -1 ? 0 : (C)(a % b); }                 \
    SCALAR C mod_##T(C a, C b) {                                                              \
        const C r = rem_##T(a, b);                                                            \
        return r != 0 && (r < 0) != (b < 0) ? (C)(r + b) : r;                                 \
    }                                                                                         \
    SCALAR C shl_##T(C a, C b) { return (U)b >= 8 * sizeof(C) ? 0 : (C)(U)((W)a << (U)b); }   \
    SCALAR C shr_##T(C a, C b) { return (U)b >= 8 * sizeof(C) ? (a < 0 ? -1 : 0) : (C)(a >> (U)b); } \
    SCALAR C pow_##T(C a, C b) {                                                              \
        if (b >= 0) return power_##T(a, b);                                                   \
        return a == 1 ? 1 : a == -1 ? (C)(b & 1 ? -1 : 1) : 0;                                \
    }
#define UNSIGNED_OPS(T, C, W)                                                                 \
    INTEGER_OPS(T, C, C, W)                                                                   \
    SCALAR C abs_##T(C a) { return a; }                                                       \
    SCALAR C sign_##T(C a) { return a > 0; }                                                  \
    SCALAR C div_##T(C a, C b) { return b == 0 ? 0 : (C)(a / b); }                            \
    SCALAR C rem_##T(C a, C b) { return b == 0 ? 0 : (C)(a % b); }                            \
    SCALAR C mod_##T(C a, C b) { return rem_##T(a, b); }                                      \
    SCALAR C pow_##T(C a, C b) { return power_##T(a, b); }                                    \
    SCALAR C shl_##T(C a, C b) { return b >= 8 * sizeof(C) ? 0 : (C)((W)a << b); }            \
    SCALAR C shr_##T(C a, C b) { return b >= 8 * sizeof(C) ? 0 : (C)(a >> b); }
#define ORDER(T, C)                                                                           \
    SCALAR uint8_t lt_##T(C a, C b) { return a < b; }                                         \
    SCALAR uint8_t le_##T(C a, C b) { return a <= b; }
#define EQUALITY(T, C)                                                                        \
    SCALAR uint8_t eq_##T(C a, C b) { return a == b; }                                        \
    SCALAR C select_##T(uint8_t c, C a, C b) { return c ? a : b; }

FLOAT_OPS(f32, float, f)
FLOAT_OPS(f64, double, )
SIGNED_OPS(s8, int8_t, uint8_t, uint32_t)
SIGNED_OPS(s16, int16_t, uint16_t, uint32_t)
SIGNED_OPS(s32, int32_t, uint32_t, uint32_t)
SIGNED_OPS(s64, int64_t, uint64_t, uint64_t)
UNSIGNED_OPS(u8, uint8_t, uint32_t)
UNSIGNED_OPS(u16, uint16_t, uint32_t)
UNSIGNED_OPS(u32, uint32_t, uint32_t)
UNSIGNED_OPS(u64, uint64_t, uint64_t)
#define BOTH(T, C) ORDER(T, C) EQUALITY(T, C)
BOTH(f32, float)
BOTH(f64, double)
BOTH(s8, int8_t)
BOTH(s16, int16_t)
BOTH(s32, int32_t)
BOTH(s64, int64_t)
BOTH(u8, uint8_t)
BOTH(u16, uint16_t)
BOTH(u32, uint32_t)
BOTH(u64, uint64_t)
EQUALITY(bool, uint8_t)
SCALAR uint8_t min_bool(uint8_t a, uint8_t b) { return a && b; }
SCALAR uint8_t max_bool(uint8_t a, uint8_t b) { return a || b; }
SCALAR uint8_t and_bool(uint8_t a, uint8_t b) { return a && b; }
SCALAR uint8_t or_bool(uint8_t a, uint8_t b) { return a || b; }
SCALAR uint8_t xor_bool(uint8_t a, uint8_t b) { return !a != !b; }
SCALAR uint8_t not_bool(uint8_t a) { return !a; }

/* Casts from a float or double, held as a double, which holds either exactly. */
#define FROM_REAL(T, C, LOW, HIGH) \
    SCALAR C real_to_##T(double a) { return a != a ? 0 : a <= (double)(LOW) ? (LOW) : a >= (double)(HIGH) ? (HIGH) : (C)a; }
FROM_REAL(s8, int8_t, INT8_MIN, INT8_MAX)
FROM_REAL(s16, int16_t, INT16_MIN, INT16_MAX)
FROM_REAL(s32, int32_t, INT32_MIN, INT32_MAX)
FROM_REAL(s64, int64_t, INT64_MIN, INT64_MAX)
FROM_REAL(u8, uint8_t, 0, UINT8_MAX)
FROM_REAL(u16, uint16_t, 0, UINT16_MAX)
FROM_REAL(u32, uint32_t, 0, UINT32_MAX)
FROM_REAL(u64, uint64_t, 0, UINT64_MAX)
#endif
