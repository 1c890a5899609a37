/* How it works. Each step has 64-bit counters whose high half is the epoch, the number of the run, and whose low half counts down the chunks that
 * are not yet `claimed`, one counter a thread's share, and not yet `finished`. A thread takes its own share first, which in every step is the same
 * part of the picture, so that it finds in its cache what it wrote before; then it helps the others. It claims a chunk by compare-and-swap, so a late
 * thread that still holds the last run's value fails and goes home; while a claimed chunk is unfinished its step cannot end, so the run cannot end and the description of
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

struct counter { /* on its own cache line: waiters read `finished` while others claim */
    _Alignas(CACHE_LINE) _Atomic uint64_t left;
};

struct worker {
    struct edge_pool *pool;
    pthread_t thread;
    int home; /* its share in every step; the caller's is 0 */
};

struct edge_pool {
    _Alignas(CACHE_LINE) _Atomic uint32_t epoch; /* also the futex that idle workers sleep on */
    _Atomic int sleepers, quit;
    _Atomic int n_steps;
    const struct edge_step *steps; /* the description of the run */
    const struct edge_memory *memory;
    struct counter *counters; /* a step: `finished`, then the unclaimed share of every thread */
    struct worker *workers;
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

static int share_start(int chunks, int share, int shares) { return (int)((int64_t)chunks * share / shares); }

/* Works on one step until its chunks are done, on share `home` first. Returns 0 when the run is over (only a worker can be that late). */
static int join_step(struct edge_pool *pool, int index, int home, uint32_t epoch) {
    const int shares = pool->n_workers + 1;
    struct counter *finished = &pool->counters[index * (shares + 1)], *claimed = finished + 1;
    for (int i = 0; i < shares; i++) {
        const int share = (home + i) % shares;
        for (int left; (left = claim(&claimed[share].left, epoch)) >= 0;) {
            const struct edge_step *step = &pool->steps[index];
            const int chunk = share_start(step->chunks, share + 1, shares) - 1 - left; /* a share is counted down: its first chunk goes first */
            step->run(pool->memory, chunk, chunk + 1);
            atomic_fetch_sub_explicit(&finished->left, 1, memory_order_release);
        }
    }
    for (int i = 0;; i++) {
        const uint64_t left = atomic_load_explicit(&finished->left, memory_order_acquire);
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
    const struct worker *worker = argument;
    struct edge_pool *pool = worker->pool;
    for (uint32_t epoch = 0;;) {
        epoch = await_run(pool, epoch);
        if (atomic_load(&pool->quit)) return NULL;
        const int n_steps = atomic_load_explicit(&pool->n_steps, memory_order_relaxed);
        for (int i = 0; i < n_steps && join_step(pool, i, worker->home, epoch); i++) continue;
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
    const int shares = pool->n_workers + 1;
    const uint64_t tag = (uint64_t)epoch << 32;
    for (int i = 0; i < n_steps; i++) { /* `finished` first: whoever claims in this epoch must find its count */
        struct counter *finished = &pool->counters[i * (shares + 1)], *claimed = finished + 1;
        const int chunks = steps[i].chunks;
        atomic_store_explicit(&finished->left, tag | (uint32_t)chunks, memory_order_relaxed);
        for (int s = 0; s < shares; s++) {
            const int mine = share_start(chunks, s + 1, shares) - share_start(chunks, s, shares);
            atomic_store_explicit(&claimed[s].left, tag | (uint32_t)mine, memory_order_release);
        }
    }
    announce(pool, epoch);
    for (int i = 0; i < n_steps; i++) join_step(pool, i, 0, epoch);
}

void edge_pool_destroy(struct edge_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->quit, 1);
    announce(pool, atomic_load(&pool->epoch) + 1);
    for (int i = 0; i < pool->n_workers; i++) pthread_join(pool->workers[i].thread, NULL);
    free(pool->workers);
    free(pool->counters);
    free(pool);
}

struct edge_pool *edge_pool_create(int threads, int max_steps) {
    struct edge_pool *pool = aligned_alloc(CACHE_LINE, sizeof *pool);
    if (!pool) return NULL;
    *pool = (struct edge_pool){0};
    const size_t n_counters = (size_t)(max_steps > 0 ? max_steps : 1) * ((size_t)threads + 1);
    pool->counters = aligned_alloc(CACHE_LINE, sizeof *pool->counters * n_counters);
    pool->workers = calloc((size_t)threads, sizeof *pool->workers);
    for (size_t i = 0; pool->counters && i < n_counters; i++) atomic_init(&pool->counters[i].left, 0);
    int good = pool->counters && pool->workers;
    for (int i = 1; good && i < threads; i++) {
        struct worker *worker = &pool->workers[pool->n_workers];
        *worker = (struct worker){.pool = pool, .home = i};
        good = pthread_create(&worker->thread, NULL, work, worker) == 0;
        if (good) pool->n_workers++;
    }
    if (good) return pool;
    edge_pool_destroy(pool);
    return NULL;
}
