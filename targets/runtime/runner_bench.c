/* Measurement: init, first inference, warm-up and steady state apart; each run's own time, and involuntary context switches. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "runner.h"

#ifndef MAX_KEPT /* fewer in tests */
#define MAX_KEPT 200000
#endif
enum { LAYER_RUNS = 100, LOOK_NS = 1000000 };

struct measured {
    uint64_t first_ns, warmup_ns;
    uint64_t loop_ns[2], idle_ns[2][2]; /* begin and end; idle before and after */
    struct sampler *sampler;
    long runs, every; /* of all runs one in `every` is kept */
    uint64_t *ns;     /* count long */
    int *switches;    /* involuntary context switches since they were looked at, a millisecond ago or a run */
    long count;
    long peak_kb;
    uint64_t *layer_ns; /* means over layer_runs, or NULL */
    long layer_runs;
};

static long involuntary(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

/* Not ru_maxrss: that one begins with the size of whoever started us. */
static long peak_rss_kb(void) {
    char line[256];
    long kb = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0) kb = strtol(line + 6, NULL, 10);
    if (status) fclose(status);
    return kb;
}

/* What CLOCK_BOOTTIME, which /proc/uptime shows, is ahead of our clock: the time that the machine slept. */
static uint64_t asleep_ns(void) {
    struct timespec t;
    const uint64_t now = edge_now_ns();
    if (clock_gettime(CLOCK_BOOTTIME, &t) != 0) return 0;
    const uint64_t boot = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    return boot > now ? boot - now : 0;
}

/* Where the room is full, every other run is let go, and from then on every other one is not kept: the measurement lasts as long as it was to. */
static void keep(struct measured *m, long room, uint64_t ns, int switches) {
    if (m->runs++ % m->every) return;
    if (m->count == room) {
        for (long i = 0; i < room; i += 2) {
            m->ns[i / 2] = m->ns[i];
            m->switches[i / 2] = m->switches[i];
        }
        m->count = (room + 1) / 2;
        m->every *= 2;
        if ((m->runs - 1) % m->every) return;
    }
    m->ns[m->count] = ns;
    m->switches[m->count++] = switches;
}

/* From a reset, as the first one was: a state that has saturated may be faster, or slower, than one that is young. */
static uint64_t once(struct session *s) {
    edge_reset(s->model);
    const uint64_t start = edge_now_ns();
    s->result = edge_run(s->model, s->inputs, s->outputs);
    return edge_now_ns() - start;
}

static void rest(const struct options *o, uint64_t *span) {
    span[0] = edge_now_ns();
    if (o->idle_secs > 0) sleep_until(span[0] + (uint64_t)(o->idle_secs * 1e9));
    span[1] = edge_now_ns();
}

static void measure(struct session *s, const struct options *o, long room, struct measured *m) {
    rest(o, m->idle_ns[0]);
    m->first_ns = once(s);
    if (s->result != EDGE_OK) return; /* every run would fail so: the input stays the same */
    for (long i = 0; i < o->warmup; i++) m->warmup_ns += once(s);
    m->peak_kb = peak_rss_kb(); /* now: the lists of latencies and readings are not the model's */
    const uint64_t start = edge_now_ns(), least = (uint64_t)(o->min_secs * 1e9);
    long before = involuntary();
    for (uint64_t now = start, looked = start; m->runs < o->runs || now - start < least;) {
        const uint64_t ns = once(s);
        long after = before;
        now = edge_now_ns();
        if (now - looked >= LOOK_NS || m->runs + 1 == o->runs) { /* to ask after each run would cost one of microseconds a tenth of its energy */
            after = involuntary();
            looked = now;
        }
        keep(m, room, ns, (int)(after - before));
        before = after;
    }
    m->loop_ns[0] = start;
    m->loop_ns[1] = edge_now_ns();
    rest(o, m->idle_ns[1]);
    sampler_stop(m->sampler);
    for (; m->layer_ns && m->layer_runs < LAYER_RUNS && m->layer_runs < o->runs; m->layer_runs++) {
        edge_reset(s->model);
        edge_run_timed(s->model, s->inputs, s->outputs, m->layer_ns);
    }
    for (int i = 0; m->layer_ns && m->layer_runs && i < s->program->n_steps; i++) m->layer_ns[i] /= (uint64_t)m->layer_runs;
}

/* What spikes caused in the last run, which began with a reset; nothing of a network without spikes. */
static void print_counts(const struct session *s) {
    uint64_t counts[3];
    int found = 0;
    for (int i = 0; i < s->program->n_steps; i++) {
        if (!edge_counts(s->model, i, counts)) continue;
        printf("%s{\"name\": ", found++ ? ", " : ", \"spiking\": [");
        print_json_string(edge_model_steps(s->model)[i].name);
        printf(", \"synops\": %llu, \"updates\": %llu, \"spikes\": %llu}", (unsigned long long)counts[0], (unsigned long long)counts[1],
               (unsigned long long)counts[2]);
    }
    if (found) printf("]");
}

static void print_json(const struct session *s, const struct options *o, const struct measured *m) {
    printf("{\"name\": ");
    print_json_string(s->program->name);
    printf(", \"target\": ");
    print_json_string(s->program->target);
    printf(", \"level\": \"%s\", \"threads\": %d, \"init_ms\": %.6f, \"first_ms\": %.6f, \"warmup\": %ld, \"warmup_ms\": %.6f, \"peak_rss_kb\": %ld, \"latencies_ns\": [",
           edge_level(s->model), edge_threads(s->model), (double)s->init_ns * 1e-6, (double)m->first_ns * 1e-6, o->warmup,
           o->warmup ? (double)m->warmup_ns * 1e-6 / (double)o->warmup : 0.0, m->peak_kb);
    for (long i = 0; i < m->count; i++) printf("%s%llu", i ? "," : "", (unsigned long long)m->ns[i]);
    printf("], \"switches\": [");
    for (long i = 0; i < m->count; i++) printf("%s%d", i ? "," : "", m->switches[i]);
    printf("], \"runs\": %ld, \"every\": %ld, \"loop_ns\": [%llu, %llu], \"asleep_ns\": %llu", m->runs, m->every,
           (unsigned long long)m->loop_ns[0], (unsigned long long)m->loop_ns[1], (unsigned long long)asleep_ns());
    printf(", \"idle_ns\": [");
    for (int i = 0; o->idle_secs > 0 && i < 2; i++)
        printf("%s[%llu, %llu]", i ? ", " : "", (unsigned long long)m->idle_ns[i][0], (unsigned long long)m->idle_ns[i][1]);
    printf("]");
    sampler_print(m->sampler);
    printf(", \"layers\": [");
    for (int i = 0; m->layer_ns && i < s->program->n_steps; i++) {
        const struct edge_step *step = &edge_model_steps(s->model)[i];
        printf("%s{\"name\": ", i ? ", " : "");
        print_json_string(step->name);
        printf(", \"op\": ");
        print_json_string(step->op);
        printf(", \"ns\": %llu, \"macs\": %.0f, \"bytes\": %.0f}", (unsigned long long)m->layer_ns[i], step->macs, step->bytes);
    }
    printf("]");
    print_counts(s);
    printf("}\n");
}

static int ascending(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void print_table(const struct session *s, const struct options *o, struct measured *m) {
    long hit = 0;
    uint64_t sum = 0;
    for (long i = 0; i < m->count; i++) {
        hit += m->switches[i] > 0;
        sum += m->ns[i];
    }
    qsort(m->ns, (size_t)m->count, sizeof *m->ns, ascending);
    const double ms = 1e-6;
    const int digits = m->count && m->ns[m->count / 2] < 100000 ? 6 : 3; /* a network of some microseconds has no others */
    print_plain(s->program->name, 60);
    printf("  level %s, threads %d\n", edge_level(s->model), edge_threads(s->model));
    printf("Init             %10.3f ms\n", (double)s->init_ns * ms);
    printf("First inference  %10.3f ms\n", (double)m->first_ns * ms);
    if (o->warmup) printf("Warmup           %10.3f ms  mean of %ld\n", (double)m->warmup_ns * ms / (double)o->warmup, o->warmup);
    if (m->count)
        printf("Inference        %10.*f ms  p50 of %ld (min %.*f, mean %.*f, p90 %.*f, p99 %.*f; %ld runs interrupted)\n", digits,
               (double)m->ns[m->count / 2] * ms, m->count, digits, (double)m->ns[0] * ms, digits, (double)sum * ms / (double)m->count, digits,
               (double)m->ns[m->count * 9 / 10] * ms, digits, (double)m->ns[m->count * 99 / 100] * ms, hit);
    printf("Peak memory      %10.1f MB\n", (double)m->peak_kb / 1024);
    if (!m->layer_ns) return;
    printf("\n%9s %9s %9s  %-28s %s\n", "ms", "MMAC", "GMAC/s", "op", "name");
    for (int i = 0; i < s->program->n_steps; i++) {
        const struct edge_step *step = &edge_model_steps(s->model)[i];
        const double ns = (double)m->layer_ns[i];
        printf("%9.4f %9.3f %9.2f  ", ns * ms, step->macs * 1e-6, ns > 0 ? step->macs / ns : 0);
        print_plain(step->op, 40);
        printf("  ");
        print_plain(step->name, 60);
        printf("\n");
    }
}

int run_bench(struct session *s, const struct options *o) {
    const long room = o->runs > MAX_KEPT ? o->runs : MAX_KEPT;
    struct measured m = {.every = 1};
    if (!fill_inputs(s, 0) || !read_inputs(s, o, 1)) return EXIT_USAGE;
    const int code = sampler_start(&m.sampler, o);
    if (code != EXIT_GOOD) return code;
    m.ns = malloc((size_t)room * sizeof *m.ns);
    m.switches = malloc((size_t)room * sizeof *m.switches);
    if (o->per_layer) m.layer_ns = calloc((size_t)s->program->n_steps, sizeof *m.layer_ns);
    const int good = m.ns && m.switches && (!o->per_layer || m.layer_ns);
    int wrong = 0;
    if (good) {
        measure(s, o, room, &m);
        if (!run_good(s, s->result)) wrong = 1;
        else if (o->json) print_json(s, o, &m);
        else print_table(s, o, &m);
    } else {
        sampler_stop(m.sampler);
        complain("no memory to keep %ld runs (ask for fewer --runs)", room);
    }
    sampler_free(m.sampler);
    free(m.ns);
    free(m.switches);
    free(m.layer_ns);
    return !good ? EXIT_DEVICE : wrong ? EXIT_USAGE : EXIT_GOOD;
}
