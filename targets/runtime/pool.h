/* Threads that share the chunks of each step.
 *
 * A step ends when its chunks are done, not when every thread has arrived: a worker that the kernel has taken off its CPU
 * delays nobody unless it holds a chunk. Chunks do not depend on who runs them, so results are equal for any thread count.
 */
#ifndef EDGE_POOL_H
#define EDGE_POOL_H
#include "program.h"

struct edge_pool;

/* threads: including the caller.  max_steps: the longest run.  NULL when memory or threads cannot be had. */
struct edge_pool *edge_pool_create(int threads, int max_steps);
void edge_pool_run(struct edge_pool *pool, const struct edge_step *steps, int n_steps, const struct edge_memory *memory);
void edge_pool_destroy(struct edge_pool *pool);
#endif
