/* A compiled model in three calls: create, run, destroy. The rest only looks.
 *
 *     char error[256];
 *     struct edge_model *model = edge_create("m.edge", 2, error, sizeof error);
 *     const void *inputs[] = {picture};                  // planar, C order, in the order of edge_input(model, i)
 *     void *outputs[] = {scores};
 *     edge_run(model, inputs, outputs);
 *     edge_destroy(model);
 *
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

/* inputs[i], outputs[i]: the caller's memory, edge_input(model, i)->bytes and edge_output(model, i)->bytes long. */
EDGE_API int edge_run(struct edge_model *model, const void *const inputs[], void *const outputs[]);

/* After EDGE_BAD_DATA: the step that met an index outside its axis, e.g. "Gather 'y'".  The outputs are then not to be used. */
EDGE_API const char *edge_failure(const struct edge_model *model);

EDGE_API void edge_destroy(struct edge_model *model);

EDGE_API int edge_input_count(const struct edge_model *model);
EDGE_API int edge_output_count(const struct edge_model *model);
EDGE_API const struct edge_tensor *edge_input(const struct edge_model *model, int index);    /* NULL past the end */
EDGE_API const struct edge_tensor *edge_output(const struct edge_model *model, int index);
EDGE_API const char *edge_level(const struct edge_model *model);                              /* "v3" */
EDGE_API int edge_threads(const struct edge_model *model);

/* Runs step by step and hands over what each step wrote, in the layout the manifest states; the memory is reused by later
 * steps. A callback that returns nonzero stops the run (EDGE_STOPPED). */
typedef int (*edge_step_callback)(void *user, int step, const char *name, const void *data, size_t bytes);
EDGE_API int edge_trace(struct edge_model *model, const void *const inputs[], void *const outputs[],
                        edge_step_callback callback, void *user);

#ifdef __cplusplus
}
#endif
#endif
