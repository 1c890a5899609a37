/* What one core of this machine does, where no file says it: prints its clock in Hz and its float32 operations a second, multiply-adds as two.
 *
 * Both are the best of many slices of about half a millisecond, so that what else runs here does not count: a chain of additions, one a cycle on
 * every CPU (of two registers: some add a constant in no time), and CHAINS independent multiply-adds of LANES floats, more than hide their latency. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { SLICES = 100, CHAINS = 12, STEPS = 32, WARM_UP_NS = 30000000 };

typedef float vf __attribute__((vector_size(4 * LANES)));

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void additions(int rounds) {
    uint64_t sum = 0, one = 1;
    __asm__ volatile("" : "+r"(sum), "+r"(one));
    for (int r = 0; r < rounds; r++) {
#pragma clang loop unroll(full)
        for (int i = 0; i < STEPS; i++) {
            sum += one;
            __asm__ volatile("" : "+r"(sum));
        }
    }
}

static volatile float kept;

static void multiply_adds(int rounds) {
    vf sum[CHAINS], half = (vf){0} + 0.5f + kept;
    for (int c = 0; c < CHAINS; c++) sum[c] = half;
    for (int r = 0; r < rounds; r++) {
#pragma clang loop unroll(full)
        for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * half + half;
    }
    for (int c = 1; c < CHAINS; c++) sum[0] += sum[c];
    kept = sum[0][0] * 0.0f;
}

/* Rounds a second. */
static double best(void (*work)(int), int rounds) {
    uint64_t least = UINT64_MAX;
    for (const uint64_t start = now(); now() - start < WARM_UP_NS;) work(rounds);
    for (int i = 0; i < SLICES; i++) {
        const uint64_t start = now();
        work(rounds);
        const uint64_t took = now() - start;
        if (took < least) least = took;
    }
    return 1e9 * rounds / (double)least;
}

int main(void) {
    printf("%.0f %.0f\n", best(additions, 50000) * STEPS, best(multiply_adds, 200000) * CHAINS * LANES * 2);
    return 0;
}
