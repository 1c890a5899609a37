/* What the runner may do beyond edge.h. */
#ifndef EDGE_MODEL_H
#define EDGE_MODEL_H
#include "container.h"
#include "program.h"

enum { EDGE_WEIGHTS_ALIGN = 65536 }; /* the largest page of any Linux we know */

const struct edge_program *edge_model_program(const struct edge_model *model);
const struct edge_step *edge_model_steps(const struct edge_model *model);
struct edge_span edge_model_file(const struct edge_model *model);

/* Like edge_run; adds the time of each step to ns[step]. */
int edge_run_timed(struct edge_model *model, const void *const inputs[], void *const outputs[], uint64_t *ns);

/* Hands each step in order to the callback, which runs it by itself: no threads, nothing else in between. */
typedef void (*edge_each_step)(const struct edge_step *step, const struct edge_memory *memory);
int edge_run_each(struct edge_model *model, const void *const inputs[], void *const outputs[], edge_each_step each);

uint64_t edge_now_ns(void);
#endif
