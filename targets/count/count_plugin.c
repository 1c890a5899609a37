/* A plugin of QEMU's user emulation (API version 1) that counts what each step of a model executes.
 *
 *     qemu-aarch64 -plugin ./count_plugin.so,out=counts.json m.edge --count
 *
 * The runner puts a marker instruction before and after the call of each step (runtime/markers.h); what lies between counts for that step, in order
 * of execution, everything else as "outside". Counts are exact: a translation block that holds a marker is counted instruction by instruction.
 * One guest thread is assumed. No header is needed: the functions that QEMU offers are declared here as its documentation has them
 * [QEMU, docs/devel/tcg-plugins.rst]. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arm64_instructions.h"
#include "markers.h"

typedef uint64_t qemu_plugin_id_t;
typedef struct {
    const char *target_name; /* the first member; the others are not used here */
} qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { ADD_U64 = 0, NO_REGISTERS = 0 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *at, uint64_t amount);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *at, uint64_t amount);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*callback)(unsigned, void *), int flags, void *user);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t, void *), void *user);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

#define EXPORT __attribute__((visibility("default")))
EXPORT extern int qemu_plugin_version;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **words);
int qemu_plugin_version = 1;

enum { LANES = N_CLASSES, LOADED, STORED, STACKED, N_COUNTERS };
#define CLASS_NAME(name, text) text,
static const char *const names[N_COUNTERS] = {CLASSES(CLASS_NAME) "mac_lanes", "loaded_bytes", "stored_bytes", "stacked_vectors"};

struct counters {
    uint64_t of[N_COUNTERS];
};

static struct counters now, at_marker, outside; /* now: since the start */
static struct counters *steps;
static size_t n_steps;
static bool inside, disordered;
static const char *out;

static void add_instruction(struct counters *sum, uint32_t word) {
    const struct instruction is = decode(word);
    sum->of[is.class]++;
    sum->of[LANES] += is.lanes;
    sum->of[LOADED] += is.loaded;
    sum->of[STORED] += is.stored;
    sum->of[STACKED] += (uint64_t)is_stacked(word);
}

/* Books what was executed since the last marker. */
static void close_bucket(struct counters *bucket) {
    for (int i = 0; i < N_COUNTERS; i++) bucket->of[i] += now.of[i] - at_marker.of[i];
    at_marker = now;
}

static void begin_step(unsigned cpu, void *user) {
    (void)cpu, (void)user;
    struct counters *more = realloc(steps, (n_steps + 1) * sizeof *steps);
    if (inside || !more) disordered = true;
    if (more) steps = more;
    close_bucket(&outside);
    inside = true;
}

static void end_step(unsigned cpu, void *user) {
    (void)cpu, (void)user;
    if (!inside || disordered) {
        disordered = true;
        return;
    }
    steps[n_steps] = (struct counters){{0}};
    close_bucket(&steps[n_steps++]);
    inside = false;
}

static uint32_t word_of(const struct qemu_plugin_insn *insn) {
    uint32_t word;
    memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
    return word;
}

static bool is_marker(uint32_t word) { return word == MARKER_WORD(MARKER_BEGIN) || word == MARKER_WORD(MARKER_END); }

static void count_one(struct qemu_plugin_insn *insn) {
    struct counters one = {{0}};
    add_instruction(&one, word_of(insn));
    for (int i = 0; i < N_COUNTERS; i++)
        if (one.of[i]) qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, &now.of[i], one.of[i]);
}

/* Markers themselves are not counted. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    const size_t n = qemu_plugin_tb_n_insns(tb);
    struct counters sum = {{0}};
    bool marked = false;
    for (size_t i = 0; i < n; i++) {
        const uint32_t word = word_of(qemu_plugin_tb_get_insn(tb, i));
        marked = marked || is_marker(word);
        add_instruction(&sum, word);
    }
    for (int i = 0; i < N_COUNTERS && !marked; i++)
        if (sum.of[i]) qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &now.of[i], sum.of[i]);
    for (size_t i = 0; i < n && marked; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint32_t word = word_of(insn);
        if (is_marker(word))
            qemu_plugin_register_vcpu_insn_exec_cb(insn, word == MARKER_WORD(MARKER_BEGIN) ? begin_step : end_step, NO_REGISTERS, NULL);
        else count_one(insn);
    }
}

static void print_counters(FILE *file, const struct counters *counters) {
    for (int i = 0; i < N_COUNTERS; i++) fprintf(file, "%s\"%s\": %" PRIu64, i ? ", " : "{", names[i], counters->of[i]);
    fprintf(file, "}");
}

static void finished(qemu_plugin_id_t id, void *user) {
    (void)id, (void)user;
    FILE *file = fopen(out, "w");
    if (!file) return; /* whoever asked for it sees that it is not there */
    close_bucket(&outside);
    fprintf(file, "{\"ordered\": %s, \"outside\": ", inside || disordered ? "false" : "true");
    print_counters(file, &outside);
    fprintf(file, ", \"steps\": [");
    for (size_t i = 0; i < n_steps; i++) {
        fprintf(file, "%s", i ? ",\n" : "\n");
        print_counters(file, &steps[i]);
    }
    fprintf(file, "]}\n");
    fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **words) {
    if (strcmp(info->target_name, "aarch64") != 0 || count != 1 || strncmp(words[0], "out=", 4) != 0) return -1;
    out = strdup(words[0] + 4);
    if (!out) return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, finished, NULL);
    return 0;
}
