#include "vectors.h"

#include <math.h>
#include <string.h>

#define GOLDEN UINT64_C(0x9E3779B97F4A7C15)

static uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static double noise(uint64_t bits) { return (double)(bits >> 40) / 8388608.0 - 1.0; }

/* Every product is by a power of two, so it is exact as a double and as a float. */
static double odd(uint64_t bits, struct edge_range range) {
    const double u = noise(bits), wide = range.high * (range.low < 0 ? u : fabs(u));
    const double values[8] = {0, range.high, range.low, range.high / 2, wide * 0x1p-20, wide * 0x1p-40, wide, wide};
    return values[bits & 7];
}

/* 0 to less than the range's high end where it begins at 0, else `otherwise`: an index must lie inside its axis. */
static uint64_t whole(uint64_t bits, struct edge_range range, uint64_t otherwise) {
    return range.low == 0 && range.high >= 1 ? (bits >> 32) * (uint64_t)range.high >> 32 : otherwise;
}

/* A range that begins above 0 is one of spikes: 1 with that probability, else 0. */
static double real(uint64_t bits, int vector, struct edge_range range) {
    if (vector == EDGE_ODD) return odd(bits, range);
    return range.low > 0 ? (double)(bits >> 40) * 0x1p-24 < range.low : noise(bits);
}

/* X(numpy name, C type, a value from 64 random bits) */
#define DTYPES(X) \
    X("float16", _Float16, (_Float16)real(bits, vector, where)) \
    X("float32", float, (float)real(bits, vector, where)) \
    X("float64", double, real(bits, vector, where)) \
    X("bool", uint8_t, (uint8_t)(bits >> 63)) \
    X("uint8", uint8_t, (uint8_t)whole(bits, where, bits >> 56)) \
    X("int8", int8_t, (int8_t)((int)whole(bits, where, (bits >> 56) - 128))) \
    X("uint16", uint16_t, (uint16_t)whole(bits, where, bits >> 60)) \
    X("int16", int16_t, (int16_t)whole(bits, where, bits >> 60)) \
    X("uint32", uint32_t, (uint32_t)whole(bits, where, bits >> 60)) \
    X("int32", int32_t, (int32_t)whole(bits, where, bits >> 60)) \
    X("uint64", uint64_t, whole(bits, where, bits >> 60)) \
    X("int64", int64_t, (int64_t)whole(bits, where, bits >> 60))

int edge_fill(const struct edge_tensor *tensor, uint64_t seed, int vector, int index, const struct edge_range *range, void *data) {
    const struct edge_range where = range ? *range : (struct edge_range){-1, 1};
    const uint64_t key = mix(seed + ((uint64_t)vector * 65536 + (uint64_t)index + 1) * GOLDEN);
#define FILL(name, type, value) \
    if (strcmp(tensor->dtype, name) == 0) { \
        for (size_t i = 0; i < tensor->bytes / sizeof(type); i++) { \
            const uint64_t bits = mix(key + (i + 1) * GOLDEN); \
            const type v = value; \
            memcpy((unsigned char *)data + i * sizeof v, &v, sizeof v); \
        } \
        return 1; \
    }
    DTYPES(FILL)
    return 0;
}

int edge_sums(const struct edge_tensor *tensor, const void *got, const void *expected, double *difference, double *size) {
    *difference = *size = 0;
#define ADD(name, type, value) \
    if (strcmp(tensor->dtype, name) == 0) { \
        for (size_t i = 0; i < tensor->bytes / sizeof(type); i++) { \
            type a, b; \
            memcpy(&a, (const unsigned char *)got + i * sizeof a, sizeof a); \
            memcpy(&b, (const unsigned char *)expected + i * sizeof b, sizeof b); \
            const double x = (double)a, y = (double)b; \
            *difference += x == y ? 0 : fabs(x - y); \
            *size += fabs(y); \
        } \
        if (isnan(*difference) || isnan(*size)) *difference = (double)INFINITY, *size = 1; \
        return 1; \
    }
    DTYPES(ADD)
    return 0;
}

int edge_difference(const struct edge_tensor *tensor, const void *got, const void *expected, double *difference, double *largest) {
    *difference = *largest = 0;
#define COMPARE(name, type, value) \
    if (strcmp(tensor->dtype, name) == 0) { \
        for (size_t i = 0; i < tensor->bytes / sizeof(type); i++) { \
            type a, b; \
            memcpy(&a, (const unsigned char *)got + i * sizeof a, sizeof a); \
            memcpy(&b, (const unsigned char *)expected + i * sizeof b, sizeof b); \
            const double x = (double)a, y = (double)b; \
            if (isnan(x) && isnan(y)) continue; \
            const double d = x == y ? 0 : fabs(x - y); \
            if (!(d <= *difference)) *difference = isnan(d) ? (double)INFINITY : d; \
            if (isfinite(y) && fabs(y) > *largest) *largest = fabs(y); \
        } \
        return 1; \
    }
    DTYPES(COMPARE)
    return 0;
}
