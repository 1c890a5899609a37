/* Which instructions this CPU and its kernel allow: one bit a feature, named as /proc/cpuinfo names it. */
#ifndef EDGE_CPU_H
#define EDGE_CPU_H
#include <stddef.h>
#include <stdint.h>

/* X(bit, MACRO, "name"): the order is free, the bits are not stored anywhere. */
#define EDGE_CPU_FEATURES(X) \
    X(0, PNI, "pni") X(1, SSSE3, "ssse3") X(2, CX16, "cx16") X(3, SSE4_1, "sse4_1") X(4, SSE4_2, "sse4_2") \
    X(5, POPCNT, "popcnt") X(6, LAHF_LM, "lahf_lm") X(7, MOVBE, "movbe") X(8, ABM, "abm") X(9, AVX, "avx") \
    X(10, F16C, "f16c") X(11, FMA, "fma") X(12, BMI1, "bmi1") X(13, BMI2, "bmi2") X(14, AVX2, "avx2") \
    X(15, AVX512F, "avx512f") X(16, AVX512CD, "avx512cd") X(17, AVX512BW, "avx512bw") X(18, AVX512DQ, "avx512dq") \
    X(19, AVX512VL, "avx512vl") X(20, AVX512_VNNI, "avx512_vnni") X(21, AVX512_BF16, "avx512_bf16") X(22, AVX_VNNI, "avx_vnni")

#define EDGE_CPU_ENUM(bit, macro, name) EDGE_CPU_##macro = 1 << bit,
enum edge_cpu_feature { EDGE_CPU_FEATURES(EDGE_CPU_ENUM) };

/* The psABI's levels: a compiler given -mcpu=x86_64_v3 may use any of these, so the gate is the whole set. */
#define EDGE_X86_V2 \
    (EDGE_CPU_PNI | EDGE_CPU_SSSE3 | EDGE_CPU_CX16 | EDGE_CPU_SSE4_1 | EDGE_CPU_SSE4_2 | EDGE_CPU_POPCNT | EDGE_CPU_LAHF_LM)
#define EDGE_X86_V3 \
    (EDGE_X86_V2 | EDGE_CPU_MOVBE | EDGE_CPU_ABM | EDGE_CPU_AVX | EDGE_CPU_F16C | EDGE_CPU_FMA | EDGE_CPU_BMI1 | EDGE_CPU_BMI2 | \
     EDGE_CPU_AVX2)
#define EDGE_X86_V4 \
    (EDGE_X86_V3 | EDGE_CPU_AVX512F | EDGE_CPU_AVX512CD | EDGE_CPU_AVX512BW | EDGE_CPU_AVX512DQ | EDGE_CPU_AVX512VL)

/* The features that may be used: the CPU has them and the kernel saves their registers. */
uint64_t edge_cpu_features(void);

/* Writes the names of the set bits, separated by blanks. */
void edge_cpu_names(uint64_t features, char *text, size_t bytes);
#endif
