/* A compiled model in three calls: create, run, destroy. The rest only looks.
 *
 *     char error[256];
 *     struct edge_model *model = edge_create("m.edge", 2, error, sizeof error);
 *     const void *inputs[] = {picture};                  // planar, C order, in the order of edge_input(model, i)
 *     void *outputs[] = {scores};
 *     edge_run(model, inputs, outputs);
 *     edge_destroy(model);
 *
 * A model built with --stateful keeps state from call to call: edge_reset(model) lets it begin anew.
 * Memory is taken in edge_create and nowhere else. A model runs one call at a time; two models are independent.
 */
#ifndef EDGE_H
#define EDGE_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EDGE_API __attribute__((visibility("default")))

enum { EDGE_OK = 0, EDGE_NULL_POINTER = 1, EDGE_STOPPED = 2, EDGE_BAD_DATA = 3 };

struct edge_model;

struct edge_tensor {
    const char *name;
    const char *dtype;      /* numpy's name: "float32", "int8", … */
    int rank;
    int64_t dims[8];
    size_t bytes;
};

/* path: the .edge file that this code came from (NULL: the running program itself), for its weights; it stays mapped.
 * threads: workers including the caller; 0 for one a CPU that the affinity and a control group's quota allow.  EDGE_LEVEL in the environment forces a lower ISA level.
 * NULL on failure, with one line in error. */
EDGE_API struct edge_model *edge_create(const char *path, int threads, char *error, size_t error_bytes);

/* inputs[i], outputs[i]: the caller's memory, edge_input(model, i)->bytes and edge_output(model, i)->bytes long.
 * EDGE_BAD_DATA: the inputs hold an index outside its axis. */
EDGE_API int edge_run(struct edge_model *model, const void *const inputs[], void *const outputs[]);

/* Forgets what a model with state has kept from call to call: the next run begins as the first did. A model without state has nothing to forget. */
EDGE_API void edge_reset(struct edge_model *model);

/* After EDGE_BAD_DATA, what was wrong: "Gather 'y': index 7 is outside an axis of 5".  The outputs of that run are not to be used, a state neither; the next run
 * is a fresh one. */
EDGE_API const char *edge_failure(const struct edge_model *model);

EDGE_API void edge_destroy(struct edge_model *model);

EDGE_API int edge_input_count(const struct edge_model *model);
EDGE_API int edge_output_count(const struct edge_model *model);
EDGE_API const struct edge_tensor *edge_input(const struct edge_model *model, int index);    /* NULL past the end */
EDGE_API const struct edge_tensor *edge_output(const struct edge_model *model, int index);
EDGE_API const char *edge_level(const struct edge_model *model);                              /* "v3" */
EDGE_API int edge_threads(const struct edge_model *model);

/* Steps that spikes drive count what they do, from a reset on: synaptic operations, updates of a neuron, spikes.  step: as edge_trace numbers them.
 * 0 where the step counts nothing or is not there. */
EDGE_API const char *edge_step_name(const struct edge_model *model, int step);                /* NULL past the end */
EDGE_API int edge_counts(const struct edge_model *model, int step, uint64_t counts[3]);

/* Runs step by step and hands over what each step wrote, in the layout the manifest states; the memory is reused by later
 * steps. A callback that returns nonzero stops the run (EDGE_STOPPED). */
typedef int (*edge_step_callback)(void *user, int step, const char *name, const void *data, size_t bytes);
EDGE_API int edge_trace(struct edge_model *model, const void *const inputs[], void *const outputs[],
                        edge_step_callback callback, void *user);

#ifdef __cplusplus
}
#endif
#endif
