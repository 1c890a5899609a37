/* Which instructions this CPU and its kernel allow: one bit a feature, named as /proc/cpuinfo names it. */
#ifndef EDGE_CPU_H
#define EDGE_CPU_H
#include <stddef.h>
#include <stdint.h>

/* X(bit, MACRO, "name"): the bits are not stored anywhere. On x86 their order is free. On Arm bits 0 to 31 are
 * those of AT_HWCAP, bits 32 to 63 are bits 0 to 31 of AT_HWCAP2. */
#if defined(__aarch64__)
#define EDGE_CPU_FEATURES(X) \
    X(0, FP, "fp") X(1, ASIMD, "asimd") X(3, AES, "aes") X(4, PMULL, "pmull") X(5, SHA1, "sha1") X(6, SHA2, "sha2") \
    X(7, CRC32, "crc32") X(8, ATOMICS, "atomics") X(9, FPHP, "fphp") X(10, ASIMDHP, "asimdhp") X(12, ASIMDRDM, "asimdrdm") \
    X(15, LRCPC, "lrcpc") X(16, DCPOP, "dcpop") X(17, SHA3, "sha3") X(18, SM3, "sm3") X(19, SM4, "sm4") X(20, ASIMDDP, "asimddp") \
    X(21, SHA512, "sha512") X(22, SVE, "sve") X(23, ASIMDFHM, "asimdfhm") X(24, DIT, "dit") X(25, USCAT, "uscat") \
    X(26, ILRCPC, "ilrcpc") X(27, FLAGM, "flagm") X(28, SSBS, "ssbs") X(33, SVE2, "sve2") \
    X(45, I8MM, "i8mm") X(46, BF16, "bf16")
#else
#define EDGE_CPU_FEATURES(X) \
    X(0, PNI, "pni") X(1, SSSE3, "ssse3") X(2, CX16, "cx16") X(3, SSE4_1, "sse4_1") X(4, SSE4_2, "sse4_2") \
    X(5, POPCNT, "popcnt") X(6, LAHF_LM, "lahf_lm") X(7, MOVBE, "movbe") X(8, ABM, "abm") X(9, AVX, "avx") \
    X(10, F16C, "f16c") X(11, FMA, "fma") X(12, BMI1, "bmi1") X(13, BMI2, "bmi2") X(14, AVX2, "avx2") \
    X(15, AVX512F, "avx512f") X(16, AVX512CD, "avx512cd") X(17, AVX512BW, "avx512bw") X(18, AVX512DQ, "avx512dq") \
    X(19, AVX512VL, "avx512vl") X(20, AVX512_VNNI, "avx512_vnni") X(21, AVX512_BF16, "avx512_bf16") X(22, AVX_VNNI, "avx_vnni")
#endif

#define EDGE_CPU_ENUM(bit, macro, name) EDGE_CPU_BIT_##macro = bit,
enum edge_cpu_bit { EDGE_CPU_FEATURES(EDGE_CPU_ENUM) };

/* The mask of one feature, EDGE_CPU(FMA): an enumerator is an int, which has no room for bit 31 and above. */
#define EDGE_CPU(macro) (UINT64_C(1) << EDGE_CPU_BIT_##macro)

/* The features that may be used: the CPU has them and the kernel saves their registers. */
uint64_t edge_cpu_features(void);

/* Writes the names of the set bits, separated by blanks. */
void edge_cpu_names(uint64_t features, char *text, size_t bytes);
#endif
