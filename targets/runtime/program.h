/* What generated code gives to the runtime: one `edge_program`, with one table of steps per ISA level. */
#ifndef EDGE_PROGRAM_H
#define EDGE_PROGRAM_H
#include <stddef.h>
#include <stdint.h>

#include "cpu.h"  /* the feature bits of a level */
#include "edge.h" /* struct edge_tensor */

/* What the first step that met an index outside its axis saw.  step: 0 for none, else 1 + its number. */
struct edge_fault {
    int step;
    int64_t index, size;
};

/* Notes a fault; the first one of a run stays. */
static inline void edge_fail(struct edge_fault *fault, int step, int64_t index, int64_t size) {
    int none = 0;
    if (!__atomic_compare_exchange_n(&fault->step, &none, step, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return;
    fault->index = index;
    fault->size = size;
}

/* Where a step finds its data. Inputs and outputs are the caller's own memory (planar, no alignment promised). */
struct edge_memory {
    unsigned char *arena;           /* 64-byte aligned, program->arena_bytes */
    const unsigned char *weights;   /* weights.bin, 64-byte aligned */
    const void *const *inputs;
    void *const *outputs;
    struct edge_fault *fault;
    unsigned char *state;           /* 64-byte aligned, program->state_bytes: kept from call to call, zeroed by edge_reset */
    int64_t *trip;                  /* of each region, from 0 */
};

enum { EDGE_PLACE_ARENA = 0, EDGE_PLACE_OUTPUT = 2, EDGE_PLACE_STATE = 3 };

struct edge_step {
    const char *name;               /* the graph value this step computes */
    const char *op;                 /* e.g. "Conv 3x3 s2 + relu6" */
    void (*run)(const struct edge_memory *m, int begin, int end);  /* does chunks [begin, end) */
    int chunks;
    double macs;                    /* multiply-adds */
    double bytes;                   /* read and written */
    /* where the result lies after the last trip, for per-layer checks: place arena or state and an offset, or output and an index */
    int place;
    size_t offset, out_bytes;
    size_t counts;                  /* 1 + where its counters lie in the state: synaptic operations, updates, spikes since a reset; 0 for none */
};

/* A loop: steps [first, first + count) run `trips` times. An outer region comes before those inside it. */
struct edge_region {
    const char *name;
    int first, count;
    int64_t trips;
};

struct edge_level {
    const char *name;               /* "v2", "v3", "v4" */
    uint64_t features;              /* every bit must be present on the machine, see cpu.h */
    const struct edge_step *steps;
};

/* Powers of two between which the odd values of a test vector lie: low is 0 or -high.  Of integers: 0 and how many there are, or -1 and 1.
 * Of spikes: their density, and 1. */
struct edge_range {
    double low, high;
};

struct edge_program {
    const char *name;
    const char *target;
    size_t arena_bytes, weights_bytes;
    int n_inputs, n_outputs, n_levels, n_steps;
    const struct edge_tensor *inputs, *outputs;
    const struct edge_level *levels;          /* best first */
    uint64_t vector_seed;                     /* test vectors, see vectors.h */
    int n_vectors;
    double vector_rtol;                       /* max|d| <= rtol * max|expected|, unless expected.bin ends with limits */
    const struct edge_range *vector_ranges;   /* one an input; NULL: -1 to 1 */
    size_t state_bytes;
    int vector_calls;                         /* with state: calls from a reset, the last of which is compared */
    const struct edge_region *regions;
    int n_regions;
    int vector_sums;                          /* compare sum|d| with sum|expected|: of spikes, one of which may fall a step aside for a rounding */
};

extern const struct edge_program edge_program;
#endif
