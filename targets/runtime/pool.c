/* How it works. Each step has two 64-bit counters whose high half is the epoch, the number of the run, and whose low half counts
 * down the chunks that are not yet `claimed` and not yet `finished`. A thread claims a chunk by compare-and-swap, so a late thread that still holds the last run's value
 * fails and goes home; while a claimed chunk is unfinished its step cannot end, so the run cannot end and the description of
 * the run (steps, memory) cannot change under the thread that holds it. Only a holder of a chunk reads that description.
 *
 * Publication: the caller writes the description, then stores `claimed` (release); a claim (acquire) therefore sees it. The last
 * `finished` increment (release) is read by whoever goes on to the next step (acquire): all results of the step are visible.
 */
#define _GNU_SOURCE
#include "pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CACHE_LINE = 64, SPINS = 4000 }; /* about 50 µs of pauses: longer than the gap between two calls in a loop */

struct counters { /* each on its own cache line: waiters read `finished` while others claim */
    _Alignas(CACHE_LINE) _Atomic uint64_t claimed;
    _Alignas(CACHE_LINE) _Atomic uint64_t finished;
};

struct edge_pool {
    _Alignas(CACHE_LINE) _Atomic uint32_t epoch; /* also the futex that idle workers sleep on */
    _Atomic int sleepers, quit;
    _Atomic int n_steps;
    const struct edge_step *steps; /* the description of the run */
    const struct edge_memory *memory;
    struct counters *counters;
    pthread_t *workers;
    int n_workers;
};

static inline void pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

/* A chunk of the step in this epoch, counted from the end; or -1: none left, or the run is over. */
static int claim(_Atomic uint64_t *claimed, uint32_t epoch) {
    uint64_t seen = atomic_load_explicit(claimed, memory_order_acquire);
    while (seen >> 32 == epoch && (uint32_t)seen != 0)
        if (atomic_compare_exchange_weak_explicit(claimed, &seen, seen - 1, memory_order_acquire, memory_order_acquire))
            return (int)((uint32_t)seen - 1);
    return -1;
}

/* Works on one step until its chunks are done. Returns 0 when the run is over (only a worker can be that late). */
static int join_step(struct edge_pool *pool, int index, uint32_t epoch) {
    struct counters *c = &pool->counters[index];
    for (int chunk; (chunk = claim(&c->claimed, epoch)) >= 0;) {
        const struct edge_step *step = &pool->steps[index];
        const int last_first = step->chunks - 1 - chunk; /* claimed from the top of the countdown: chunk 0 goes first */
        step->run(pool->memory, last_first, last_first + 1);
        atomic_fetch_sub_explicit(&c->finished, 1, memory_order_release);
    }
    for (int i = 0;; i++) {
        const uint64_t left = atomic_load_explicit(&c->finished, memory_order_acquire);
        if (left >> 32 != epoch) return 0;
        if ((uint32_t)left == 0) return 1;
        if (i < SPINS) pause_cpu();
        else sched_yield();
    }
}

static uint32_t await_run(struct edge_pool *pool, uint32_t last) {
    for (int i = 0; i < SPINS; i++) {
        const uint32_t epoch = atomic_load_explicit(&pool->epoch, memory_order_acquire);
        if (epoch != last) return epoch;
        pause_cpu();
    }
    atomic_fetch_add(&pool->sleepers, 1); /* seq_cst, as the caller's store and load: one of the two sees the other */
    while (atomic_load(&pool->epoch) == last) syscall(SYS_futex, &pool->epoch, FUTEX_WAIT_PRIVATE, last, NULL, NULL, 0);
    atomic_fetch_sub(&pool->sleepers, 1);
    return atomic_load(&pool->epoch);
}

static void announce(struct edge_pool *pool, uint32_t epoch) {
    atomic_store(&pool->epoch, epoch);
    if (atomic_load(&pool->sleepers)) syscall(SYS_futex, &pool->epoch, FUTEX_WAKE_PRIVATE, pool->n_workers, NULL, NULL, 0);
}

static void *work(void *argument) {
    struct edge_pool *pool = argument;
    for (uint32_t epoch = 0;;) {
        epoch = await_run(pool, epoch);
        if (atomic_load(&pool->quit)) return NULL;
        const int n_steps = atomic_load_explicit(&pool->n_steps, memory_order_relaxed);
        for (int i = 0; i < n_steps && join_step(pool, i, epoch); i++) continue;
    }
}

void edge_pool_run(struct edge_pool *pool, const struct edge_step *steps, int n_steps, const struct edge_memory *memory) {
    if (pool->n_workers == 0) {
        for (int i = 0; i < n_steps; i++) steps[i].run(memory, 0, steps[i].chunks);
        return;
    }
    const uint32_t epoch = atomic_load_explicit(&pool->epoch, memory_order_relaxed) + 1;
    pool->steps = steps;
    pool->memory = memory;
    atomic_store_explicit(&pool->n_steps, n_steps, memory_order_relaxed);
    for (int i = 0; i < n_steps; i++) { /* `finished` first: whoever claims in this epoch must find its count */
        const uint64_t start = (uint64_t)epoch << 32 | (uint32_t)steps[i].chunks;
        atomic_store_explicit(&pool->counters[i].finished, start, memory_order_relaxed);
        atomic_store_explicit(&pool->counters[i].claimed, start, memory_order_release);
    }
    announce(pool, epoch);
    for (int i = 0; i < n_steps; i++) join_step(pool, i, epoch);
}

void edge_pool_destroy(struct edge_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->quit, 1);
    announce(pool, atomic_load(&pool->epoch) + 1);
    for (int i = 0; i < pool->n_workers; i++) pthread_join(pool->workers[i], NULL);
    free(pool->workers);
    free(pool->counters);
    free(pool);
}

struct edge_pool *edge_pool_create(int threads, int max_steps) {
    struct edge_pool *pool = aligned_alloc(CACHE_LINE, sizeof *pool);
    if (!pool) return NULL;
    *pool = (struct edge_pool){0};
    pool->counters = aligned_alloc(CACHE_LINE, sizeof *pool->counters * (size_t)(max_steps > 0 ? max_steps : 1));
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    for (int i = 0; pool->counters && i < max_steps; i++) {
        atomic_init(&pool->counters[i].claimed, 0);
        atomic_init(&pool->counters[i].finished, 0);
    }
    int good = pool->counters && pool->workers;
    for (int i = 1; good && i < threads; i++) {
        good = pthread_create(&pool->workers[pool->n_workers], NULL, work, pool) == 0;
        if (good) pool->n_workers++;
    }
    if (good) return pool;
    edge_pool_destroy(pool);
    return NULL;
}
