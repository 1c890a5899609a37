/* What one A64 instruction is and does: its class, the multiply-adds in it, the bytes it loads and stores, whether they are a vector on the stack.
 *
 * Encodings: Arm Architecture Reference Manual for A-profile (DDI 0487), chapter C4 "A64 Instruction Set Encoding".
 * The bytes of SVE, of DC ZVA and of the MOPS copies are not in their encoding: they count as instructions only. */
#ifndef EDGE_ARM64_INSTRUCTIONS_H
#define EDGE_ARM64_INSTRUCTIONS_H
#include <stdint.h>

/* X(NAME, "name"): fmla, mla: multiply-adds of float32/64 and of integer lanes; fp16: any arithmetic on half-precision lanes. */
#define CLASSES(X) \
    X(INT_ALU, "int_alu") X(MUL_DIV, "mul_div") X(BRANCH, "branch") X(LOAD, "load") X(STORE, "store") X(FP_SCALAR, "fp_scalar") \
    X(SIMD_OTHER, "simd_other") X(FMLA, "fmla") X(MLA, "mla") X(DOT, "dot") X(FP16, "fp16") X(SYSTEM, "system") X(SVE, "sve") \
    X(OTHER, "other")
#define CLASS_ENUM(name, text) name,
enum class { CLASSES(CLASS_ENUM) N_CLASSES };

struct instruction {
    enum class class;
    unsigned lanes, loaded, stored; /* multiply-adds; bytes */
};

/* The first row that fits; lanes: multiply-adds in a vector of 64 bits (Q = 0, bit 30) and of 128 (Q = 1). */
static const struct row {
    uint32_t mask, match;
    enum class class;
    unsigned lanes[2];
} rows[] = {
    {0xffc00000, 0xd5000000, SYSTEM, {0, 0}},     /* hints, barriers, mrs, msr, sys */
    {0xff000000, 0xd4000000, SYSTEM, {0, 0}},     /* svc, brk */
    {0x1c000000, 0x14000000, BRANCH, {0, 0}},     /* op0 = 101x */
    {0x1c000000, 0x10000000, INT_ALU, {0, 0}},    /* op0 = 100x: with immediate */
    {0x1f000000, 0x1b000000, MUL_DIV, {0, 0}},    /* madd, smull, umulh */
    {0x5fe0f800, 0x1ac00800, MUL_DIV, {0, 0}},    /* udiv, sdiv */
    {0x0e000000, 0x0a000000, INT_ALU, {0, 0}},    /* op0 = x101: of registers */
    {0x1e000000, 0x04000000, SVE, {0, 0}},
    {0x9e000000, 0x80000000, SVE, {0, 0}},        /* SME */

    {0xffc00000, 0x1fc00000, FP16, {1, 1}},       /* fmadd, fmsub, fnmadd, fnmsub of h */
    {0xff000000, 0x1f000000, FP_SCALAR, {1, 1}},  /* of s and d */
    {0x5fc00000, 0x1ec00000, FP16, {0, 0}},       /* other scalars of h, conversions from h too */
    {0x5f000000, 0x1e000000, FP_SCALAR, {0, 0}},

    {0xbf60fc00, 0x0e20cc00, FMLA, {2, 4}},       /* fmla, fmls .2s .4s */
    {0xbf60fc00, 0x0e60cc00, FMLA, {1, 2}},       /* .2d */
    {0xbfc0b400, 0x0f801000, FMLA, {2, 4}},       /* by element */
    {0xbfc0b400, 0x0fc01000, FMLA, {1, 2}},
    {0xbf60fc00, 0x0e20ec00, FMLA, {2, 4}},       /* fmlal, fmlsl: halves into .4s */
    {0xbf60fc00, 0x2e20cc00, FMLA, {2, 4}},       /* fmlal2, fmlsl2 */
    {0xbfc0b400, 0x0f800000, FMLA, {2, 4}},       /* both by element */
    {0xbfc0b400, 0x2f808000, FMLA, {2, 4}},
    {0xffc0b400, 0x5f801000, FP_SCALAR, {1, 1}},  /* fmla, fmls s, s, v.s[i] */
    {0xffc0b400, 0x5fc01000, FP_SCALAR, {1, 1}},
    {0xffc0b400, 0x5f001000, FP16, {1, 1}},
    {0xbf60fc00, 0x0e400c00, FP16, {4, 8}},       /* fmla, fmls .4h .8h */
    {0xbfc0b400, 0x0f001000, FP16, {4, 8}},       /* by element */
    {0x9f60c400, 0x0e400400, FP16, {0, 0}},       /* other three same of halves */
    {0x9f7e0c00, 0x0e780800, FP16, {0, 0}},       /* two-register miscellaneous of halves */
    {0x9fc0f400, 0x0f009000, FP16, {0, 0}},       /* fmul, fmulx by element of halves */

    {0x9fe0fc00, 0x0e809400, DOT, {8, 16}},       /* sdot, udot */
    {0x9fc0f400, 0x0f80e000, DOT, {8, 16}},       /* by element */
    {0xbfe0fc00, 0x0e809c00, DOT, {8, 16}},       /* usdot */
    {0xbf40f400, 0x0f00f000, DOT, {8, 16}},       /* usdot, sudot by element */
    {0xdfe0fc00, 0x4e80a400, DOT, {0, 32}},       /* smmla, ummla */
    {0xffe0fc00, 0x4e80ac00, DOT, {0, 32}},       /* usmmla */
    {0xbfe0fc00, 0x2e40fc00, DOT, {4, 8}},        /* bfdot */
    {0xbfc0f400, 0x0f40f000, DOT, {4, 8}},        /* by element */
    {0xffe0fc00, 0x6e40ec00, DOT, {0, 16}},       /* bfmmla */
    {0xbfe0fc00, 0x2ec0fc00, FMLA, {4, 4}},       /* bfmlalb, bfmlalt */
    {0xbfc0f400, 0x0fc0f000, FMLA, {4, 4}},       /* by element */

    {0x9fe0fc00, 0x0e209400, MLA, {8, 16}},       /* mla, mls of bytes */
    {0x9fe0fc00, 0x0e609400, MLA, {4, 8}},
    {0x9fe0fc00, 0x0ea09400, MLA, {2, 4}},
    {0xbfc0b400, 0x2f400000, MLA, {4, 8}},        /* by element */
    {0xbfc0b400, 0x2f800000, MLA, {2, 4}},
    {0x9fe0dc00, 0x0e208000, MLA, {8, 8}},        /* [su]mlal, [su]mlsl of bytes; Q chooses which half */
    {0x9fe0dc00, 0x0e608000, MLA, {4, 4}},
    {0x9fe0dc00, 0x0ea08000, MLA, {2, 2}},
    {0x9fc0b400, 0x0f402000, MLA, {4, 4}},        /* by element */
    {0x9fc0b400, 0x0f802000, MLA, {2, 2}},

    {0xde000000, 0x5e000000, FP_SCALAR, {0, 0}},  /* one lane of a vector register */
    {0x9e000000, 0x0e000000, SIMD_OTHER, {0, 0}},
};

static inline unsigned bits(uint32_t word, int high, int low) { return word >> low & ((2u << (high - low)) - 1); }

static inline struct instruction moving(int load, unsigned bytes) {
    return (struct instruction){load ? LOAD : STORE, 0, load ? bytes : 0, load ? 0 : bytes};
}

/* One of ld1..ld4, st1..st4: whole registers, or one element of each. */
static inline struct instruction structure(uint32_t word) {
    static const unsigned char registers[16] = {[0] = 4, [2] = 4, [4] = 3, [6] = 3, [7] = 1, [8] = 2, [10] = 2};
    const unsigned opcode = bits(word, 15, 13), size = bits(word, 11, 10);
    const unsigned elements = (bits(word, 13, 13) << 1 | bits(word, 21, 21)) + 1;
    const unsigned scale = opcode >> 1 == 3 ? size : opcode >> 1 == 2 ? 2 + (size & 1) : opcode >> 1;
    const unsigned whole = registers[bits(word, 15, 12)] * (bits(word, 30, 30) ? 16u : 8u);
    return moving(bits(word, 22, 22), bits(word, 24, 24) ? elements << scale : whole);
}

/* Exclusive, ordered, compare and swap. */
static inline struct instruction exclusive(uint32_t word) {
    const unsigned size = bits(word, 31, 30), o2 = bits(word, 23, 23), o1 = bits(word, 21, 21);
    if (o1 && o2) return (struct instruction){LOAD, 0, 1u << size, 1u << size};                 /* cas */
    if (o1 && size < 2) return (struct instruction){LOAD, 0, 8u << size, 8u << size};           /* casp */
    return moving(bits(word, 22, 22), (1u << size) * (o1 ? 2 : 1));
}

static inline struct instruction single(uint32_t word) {
    const unsigned size = bits(word, 31, 30), opc = bits(word, 23, 22), vector = bits(word, 26, 26);
    const int immediate = bits(word, 24, 24) == 1;
    if (vector) return moving(opc & 1, size == 0 && opc & 2 ? 16 : 1u << size);
    if (!immediate && bits(word, 21, 21) && bits(word, 11, 10) == 0) return (struct instruction){LOAD, 0, 1u << size, 1u << size}; /* ldadd, swp */
    if (!immediate && bits(word, 21, 21) && bits(word, 10, 10)) return moving(1, 8);                                               /* ldraa */
    if (size == 3 && opc == 2) return (struct instruction){OTHER, 0, 0, 0};                                                        /* prfm */
    return moving(opc != 0, 1u << size);
}

/* A vector register at an address in sp: spilled, or saved by a function that needs it. */
static inline int is_stacked(uint32_t word) {
    const int literal = (word & 0x3b000000) == 0x18000000;
    return (word & 0x0e000000) == 0x0c000000 && !literal && bits(word, 9, 5) == 31;
}

/* op0 = x1x0 [DDI 0487, C4.1 "Loads and Stores"] */
static inline struct instruction memory(uint32_t word) {
    const unsigned opc = bits(word, 31, 30), vector = bits(word, 26, 26);
    switch (bits(word, 29, 28)) {
    case 0: return vector ? structure(word) : exclusive(word);
    case 1:
        if (bits(word, 24, 24)) return moving(bits(word, 23, 22) != 0, 1u << opc); /* ldapur, stlur */
        if (!vector && opc == 3) return (struct instruction){OTHER, 0, 0, 0};      /* prfm */
        return moving(1, vector ? 4u << opc : opc == 1 ? 8 : 4);
    case 2: return moving(bits(word, 22, 22), 2 * (vector ? 4u << opc : opc == 2 ? 8 : 4));
    default: return single(word);
    }
}

static inline struct instruction decode(uint32_t word) {
    if ((word & 0x0a000000) == 0x08000000) return memory(word);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if ((word & rows[i].mask) == rows[i].match) return (struct instruction){rows[i].class, rows[i].lanes[word >> 30 & 1], 0, 0};
    return (struct instruction){OTHER, 0, 0, 0};
}
#endif
