/* The kernel says in AT_HWCAP what the CPU can do and what it saves on a context switch: on Arm no instruction asks the CPU itself. */
#include "cpu.h"

#if defined(__aarch64__)
#include <sys/auxv.h>

/* HWCAP bit -> ours [Linux, Documentation/arch/arm64/elf_hwcaps.rst]: they are the same numbers */
#define BIT(bit, macro, name) | EDGE_CPU_##macro
enum { KNOWN = 0 EDGE_CPU_FEATURES(BIT) };

uint64_t edge_cpu_features(void) {
    return getauxval(AT_HWCAP) & (uint64_t)KNOWN;
}
#endif
