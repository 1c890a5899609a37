/* Instructions that do nothing and mark where a step begins and ends, for an emulator that counts (--count).
 *
 * Hints that the architecture has not allocated behave as NOP on every 64-bit Arm core [DDI 0487, C6.2 "HINT"]. A later architecture may give
 * them a meaning, so that no ordinary run executes them. */
#ifndef EDGE_MARKERS_H
#define EDGE_MARKERS_H

#define MARKER_BEGIN 0x7e
#define MARKER_END 0x7f
#define MARKER_WORD(hint) (0xd503201fu | (unsigned)(hint) << 5)

#if defined(__aarch64__)
#define EDGE_HAS_MARKERS 1
#define MARK(hint) __asm__ volatile("hint %0" : : "i"(hint) : "memory")
#else
#define EDGE_HAS_MARKERS 0
#define MARK(hint) ((void)(hint))
#endif
#endif
