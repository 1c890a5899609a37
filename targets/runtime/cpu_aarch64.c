/* The kernel reports in AT_HWCAP and AT_HWCAP2 what the CPU can do and what is saved on a context switch: on Arm
 * no instruction asks the CPU. */
#include "cpu.h"

#if defined(__aarch64__)
#include <sys/auxv.h>

/* HWCAP bit -> ours: the same numbers, those of the second word from 32 on
 * [Linux, Documentation/arch/arm64/elf_hwcaps.rst] */
#define BIT(bit, macro, name) | EDGE_CPU(macro)
#define KNOWN (UINT64_C(0) EDGE_CPU_FEATURES(BIT))

uint64_t edge_cpu_features(void) {
    return ((getauxval(AT_HWCAP) & UINT32_MAX) | (uint64_t)getauxval(AT_HWCAP2) << 32) & KNOWN;
}
#endif
