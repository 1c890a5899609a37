/* The three calls: choose a level, map the weights, take the arena, start the threads; then run. */
#define _GNU_SOURCE
#include "model.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "pool.h"
#include "quota.h"

enum { MAX_THREADS = 256, ARENA_ALIGN = 64, HUGE_PAGE = 2 << 20 };

struct edge_model {
    const struct edge_program *program;
    const struct edge_level *level;
    struct edge_memory memory;
    struct edge_span file;
    struct edge_pool *pool;
    int threads;
    struct edge_fault fault;
    char failure[512];
};

/* The level that EDGE_LEVEL names, or the first (best) whose every feature is here; NULL with one line in error. */
static const struct edge_level *choose(const struct edge_program *program, char *error, size_t error_bytes) {
    const uint64_t have = edge_cpu_features();
    const char *forced = getenv("EDGE_LEVEL");
    const struct edge_level *last = NULL;
    char missing[256];
    if (forced && !*forced) forced = NULL;
    for (int i = 0; i < program->n_levels; i++) {
        if (forced && strcmp(forced, program->levels[i].name) != 0) continue;
        last = &program->levels[i];
        if ((last->features & ~have) == 0) return last;
    }
    if (!last) {
        snprintf(error, error_bytes, "level '%s' is not in this file (--info lists its levels)", forced ? forced : "");
        return NULL;
    }
    edge_cpu_names(last->features & ~have, missing, sizeof missing);
    snprintf(error, error_bytes, "level '%s' needs what this CPU does not have: %s (build for this CPU, or for a family with lower levels)",
             last->name, missing);
    return NULL;
}

/* CPUs that may be used: by the affinity, and whole ones of a quota, so that it is not spent in the middle of a run. */
static int cpus(void) {
    cpu_set_t set;
    const int may = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    const double quota = edge_cpu_quota("");
    return quota > 0 && quota < may ? (quota < 1 ? 1 : (int)quota) : may;
}

static int map_weights(struct edge_model *model, const char *path, char *error, size_t error_bytes) {
    struct edge_span weights;
    if (!edge_map(path ? path : "/proc/self/exe", &model->file, error, error_bytes)) return 0;
    if (model->program->weights_bytes == 0) return 1;
    if (!edge_find(model->file, "weights.bin", EDGE_WEIGHTS_ALIGN, &weights, error, error_bytes)) return 0;
    if (weights.bytes != model->program->weights_bytes) {
        snprintf(error, error_bytes, "weights.bin: %zu bytes, but the code was built for %zu (take code and weights from one .edge file)",
                 weights.bytes, model->program->weights_bytes);
        return 0;
    }
    model->memory.weights = weights.data;
    return 1;
}

/* Zeroed once, so that a run never depends on what was in memory; huge pages where the arena is worth it. */
static int take_arena(struct edge_model *model, char *error, size_t error_bytes) {
    const size_t wanted = model->program->arena_bytes ? model->program->arena_bytes : 1;
    const size_t align = wanted >= HUGE_PAGE ? HUGE_PAGE : ARENA_ALIGN;
    const size_t bytes = (wanted + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    void *arena = NULL;
    if (bytes < wanted || posix_memalign(&arena, align, bytes) != 0) {
        snprintf(error, error_bytes, "arena: no memory for %zu bytes (use a smaller model or input)", wanted);
        return 0;
    }
    if (align == HUGE_PAGE) madvise(arena, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    model->memory.arena = memset(arena, 0, bytes);
    return 1;
}

/* State and the trips of regions: nothing for most models. */
static int take_state(struct edge_model *model, char *error, size_t error_bytes) {
    const struct edge_program *p = model->program;
    const size_t bytes = (p->state_bytes + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    void *state = NULL;
    if (bytes < p->state_bytes || (bytes && posix_memalign(&state, ARENA_ALIGN, bytes) != 0)) {
        snprintf(error, error_bytes, "state: no memory for %zu bytes", p->state_bytes);
        return 0;
    }
    model->memory.state = state;
    edge_reset(model);
    if (!p->n_regions) return 1;
    model->memory.trip = calloc((size_t)p->n_regions, sizeof *model->memory.trip);
    if (!model->memory.trip) snprintf(error, error_bytes, "regions: no memory");
    return model->memory.trip != NULL;
}

struct edge_model *edge_create(const char *path, int threads, char *error, size_t error_bytes) {
    struct edge_model *model = calloc(1, sizeof *model);
    if (!model) {
        snprintf(error, error_bytes, "model: no memory");
        return NULL;
    }
    model->program = &edge_program;
    model->memory.fault = &model->fault;
    model->threads = threads > 0 ? threads : cpus();
    if (model->threads > MAX_THREADS) model->threads = MAX_THREADS;
    model->level = choose(model->program, error, error_bytes);
    if (model->level && map_weights(model, path, error, error_bytes) && take_arena(model, error, error_bytes) &&
        take_state(model, error, error_bytes)) {
        model->pool = edge_pool_create(model->threads, model->program->n_steps);
        if (model->pool) return model;
        snprintf(error, error_bytes, "threads: cannot start %d (ask for fewer)", model->threads);
    }
    edge_destroy(model);
    return NULL;
}

void edge_destroy(struct edge_model *model) {
    if (!model) return;
    edge_pool_destroy(model->pool);
    free(model->memory.arena);
    free(model->memory.state);
    free(model->memory.trip);
    if (model->file.data) edge_unmap(model->file);
    free(model);
}

static int point(struct edge_model *model, const void *const inputs[], void *const outputs[]) {
    const struct edge_program *p = model->program;
    for (int i = 0; i < p->n_inputs; i++)
        if (!inputs || !inputs[i]) return EDGE_NULL_POINTER;
    for (int i = 0; i < p->n_outputs; i++)
        if (!outputs || !outputs[i]) return EDGE_NULL_POINTER;
    model->memory.inputs = inputs;
    model->memory.outputs = outputs;
    model->fault.step = 0;
    return EDGE_OK;
}

/* What a run that has just ended gives back. */
static int verdict(struct edge_model *model) {
    const struct edge_fault *fault = &model->fault;
    if (!fault->step) return EDGE_OK;
    const struct edge_step *step = &model->level->steps[fault->step - 1];
    snprintf(model->failure, sizeof model->failure, "%.60s '%.300s': index %lld is outside an axis of %lld", step->op, step->name,
             (long long)fault->index, (long long)fault->size);
    return EDGE_BAD_DATA;
}

const char *edge_failure(const struct edge_model *model) { return model->failure; }

void edge_reset(struct edge_model *model) {
    if (model->program->state_bytes) memset(model->memory.state, 0, model->program->state_bytes);
}

/* What is done with steps [first, first + count), which follow one another; last: not run again in this call. Nonzero stops. */
typedef int (*visit)(struct edge_model *model, int first, int count, int last, void *user);

/* Visits steps [at, end) in order, those of a region once a trip; region: the first one that may begin there. */
static int walk(struct edge_model *model, int at, int end, int region, int last, visit each, void *user) {
    const struct edge_program *p = model->program;
    while (at < end) {
        const struct edge_region *next = region < p->n_regions && p->regions[region].first < end ? &p->regions[region] : NULL;
        const int until = next ? next->first : end;
        if (until > at && each(model, at, until - at, last, user)) return EDGE_STOPPED;
        if (!next) break;
        at = next->first + next->count;
        for (int64_t trip = 0; trip < next->trips; trip++) {
            model->memory.trip[region] = trip;
            if (walk(model, next->first, at, region + 1, last && trip + 1 == next->trips, each, user)) return EDGE_STOPPED;
        }
        while (region < p->n_regions && p->regions[region].first < at) region++;
    }
    return EDGE_OK;
}

static int walk_all(struct edge_model *model, visit each, void *user) { return walk(model, 0, model->program->n_steps, 0, 1, each, user); }

static int run_steps(struct edge_model *model, int first, int count, int last, void *user) {
    (void)last;
    (void)user;
    edge_pool_run(model->pool, &model->level->steps[first], count, &model->memory);
    return 0;
}

int edge_run(struct edge_model *model, const void *const inputs[], void *const outputs[]) {
    const int wrong = point(model, inputs, outputs);
    if (wrong) return wrong;
    walk_all(model, run_steps, NULL);
    return verdict(model);
}

struct tracing {
    edge_step_callback callback;
    void *user;
};

static const void *result(const struct edge_model *model, const struct edge_step *step) {
    if (step->place == EDGE_PLACE_OUTPUT) return model->memory.outputs[step->offset];
    return (step->place == EDGE_PLACE_STATE ? model->memory.state : model->memory.arena) + step->offset;
}

static int trace_steps(struct edge_model *model, int first, int count, int last, void *user) {
    const struct tracing *to = user;
    for (int i = first; i < first + count; i++) {
        const struct edge_step *step = &model->level->steps[i];
        edge_pool_run(model->pool, step, 1, &model->memory);
        if (last && to->callback(to->user, i, step->name, result(model, step), step->out_bytes)) return 1;
    }
    return 0;
}

int edge_trace(struct edge_model *model, const void *const inputs[], void *const outputs[], edge_step_callback callback, void *user) {
    struct tracing to = {callback, user};
    const int wrong = point(model, inputs, outputs);
    if (wrong) return wrong;
    return walk_all(model, trace_steps, &to) ? EDGE_STOPPED : verdict(model);
}

uint64_t edge_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct timing {
    uint64_t before, *ns;
};

static int time_steps(struct edge_model *model, int first, int count, int last, void *user) {
    struct timing *timing = user;
    (void)last;
    for (int i = first; i < first + count; i++) {
        edge_pool_run(model->pool, &model->level->steps[i], 1, &model->memory);
        const uint64_t after = edge_now_ns();
        timing->ns[i] += after - timing->before;
        timing->before = after;
    }
    return 0;
}

int edge_run_timed(struct edge_model *model, const void *const inputs[], void *const outputs[], uint64_t *ns) {
    const int wrong = point(model, inputs, outputs);
    struct timing timing = {edge_now_ns(), ns};
    if (wrong) return wrong;
    walk_all(model, time_steps, &timing);
    return verdict(model);
}

static int hand_over(struct edge_model *model, int first, int count, int last, void *user) {
    const edge_each_step *each = user;
    (void)last;
    for (int i = first; i < first + count; i++) (*each)(&model->level->steps[i], &model->memory);
    return 0;
}

int edge_run_each(struct edge_model *model, const void *const inputs[], void *const outputs[], edge_each_step each) {
    const int wrong = point(model, inputs, outputs);
    if (!wrong) walk_all(model, hand_over, &each);
    return wrong ? wrong : verdict(model);
}

static const struct edge_tensor *pick(const struct edge_tensor *tensors, int count, int index) {
    return index >= 0 && index < count ? &tensors[index] : NULL;
}

int edge_input_count(const struct edge_model *m) { return m->program->n_inputs; }
int edge_output_count(const struct edge_model *m) { return m->program->n_outputs; }
const struct edge_tensor *edge_input(const struct edge_model *m, int i) { return pick(m->program->inputs, m->program->n_inputs, i); }
const struct edge_tensor *edge_output(const struct edge_model *m, int i) { return pick(m->program->outputs, m->program->n_outputs, i); }
const char *edge_level(const struct edge_model *m) { return m->level->name; }
int edge_threads(const struct edge_model *m) { return m->threads; }
const struct edge_program *edge_model_program(const struct edge_model *m) { return m->program; }
const char *edge_step_name(const struct edge_model *model, int step) {
    return step < 0 || step >= model->program->n_steps ? NULL : model->level->steps[step].name;
}

int edge_counts(const struct edge_model *model, int step, uint64_t counts[3]) {
    if (step < 0 || step >= model->program->n_steps || !model->level->steps[step].counts) return 0;
    memcpy(counts, model->memory.state + model->level->steps[step].counts - 1, 3 * sizeof *counts);
    return 1;
}

const struct edge_step *edge_model_steps(const struct edge_model *m) { return m->level->steps; }
struct edge_span edge_model_file(const struct edge_model *m) { return m->file; }
