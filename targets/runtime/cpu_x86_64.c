/* cpuid says what the CPU can do, xgetbv what the kernel saves on a context switch: an instruction needs both. */
#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>

enum { EAX, EBX, ECX, EDX };
enum { ALWAYS = 0, YMM = 0x6, ZMM = 0xe6 }; /* XCR0 bits: SSE|AVX state; and the three of AVX-512 */

/* [Intel SDM vol. 2A, CPUID] */
static const struct {
    uint64_t feature;
    unsigned leaf, subleaf;
    int reg, bit;
    unsigned xcr0;
} table[] = {
    {EDGE_CPU(PNI), 1, 0, ECX, 0, ALWAYS},
    {EDGE_CPU(SSSE3), 1, 0, ECX, 9, ALWAYS},
    {EDGE_CPU(FMA), 1, 0, ECX, 12, YMM},
    {EDGE_CPU(CX16), 1, 0, ECX, 13, ALWAYS},
    {EDGE_CPU(SSE4_1), 1, 0, ECX, 19, ALWAYS},
    {EDGE_CPU(SSE4_2), 1, 0, ECX, 20, ALWAYS},
    {EDGE_CPU(MOVBE), 1, 0, ECX, 22, ALWAYS},
    {EDGE_CPU(POPCNT), 1, 0, ECX, 23, ALWAYS},
    {EDGE_CPU(AVX), 1, 0, ECX, 28, YMM},
    {EDGE_CPU(F16C), 1, 0, ECX, 29, YMM},
    {EDGE_CPU(BMI1), 7, 0, EBX, 3, ALWAYS},
    {EDGE_CPU(AVX2), 7, 0, EBX, 5, YMM},
    {EDGE_CPU(BMI2), 7, 0, EBX, 8, ALWAYS},
    {EDGE_CPU(AVX512F), 7, 0, EBX, 16, ZMM},
    {EDGE_CPU(AVX512DQ), 7, 0, EBX, 17, ZMM},
    {EDGE_CPU(AVX512CD), 7, 0, EBX, 28, ZMM},
    {EDGE_CPU(AVX512BW), 7, 0, EBX, 30, ZMM},
    {EDGE_CPU(AVX512VL), 7, 0, EBX, 31, ZMM},
    {EDGE_CPU(AVX512_VNNI), 7, 0, ECX, 11, ZMM},
    {EDGE_CPU(AVX_VNNI), 7, 1, EAX, 4, YMM},
    {EDGE_CPU(AVX512_BF16), 7, 1, EAX, 5, ZMM},
    {EDGE_CPU(LAHF_LM), 0x80000001u, 0, ECX, 0, ALWAYS},
    {EDGE_CPU(ABM), 0x80000001u, 0, ECX, 5, ALWAYS},
};

static unsigned saved_state(void) {
    unsigned r[4] = {0};
    unsigned low, high;
    if (!__get_cpuid(1, &r[EAX], &r[EBX], &r[ECX], &r[EDX]) || !(r[ECX] >> 27 & 1)) return 0; /* no OSXSAVE: xgetbv would trap */
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

uint64_t edge_cpu_features(void) {
    uint64_t features = 0;
    const unsigned saved = saved_state();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        unsigned r[4] = {0};
        if (!__get_cpuid_count(table[i].leaf, table[i].subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX])) continue;
        if ((r[table[i].reg] >> table[i].bit & 1) && (saved & table[i].xcr0) == table[i].xcr0) features |= table[i].feature;
    }
    return features;
}
#endif
