/* The device's side of the MLPerf Tiny serial protocol, as EnergyRunner and MLCommons' runner speak it
 * [mlcommons/tiny, benchmark/api/internally_implemented.cpp]. A command ends with '%', every answer with m-ready.
 * Where the reference trusts the host (a buffer that is too small, bytes that nobody announced) there is an e-[…] here. */
#define _GNU_SOURCE
#include "runner_mlperf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FIRMWARE "ULPMark for tinyML Firmware V0.0.1" /* what the hosts know this protocol by */
enum { MAX_COMMAND = 80, MAX_TIMES = 1000000000, DEFAULT_WARMUP = 10 };
enum { BAUD = 115200, ENERGY_BAUD = 9600, HOLD_NS = 200000 }; /* hosts take less than 50 us for noise */

struct command {
    const char *word;
    void (*run)(struct dut *d, char *rest);
};

/* A name may hold anything: only what cannot end the brackets goes out. */
static void say_bracketed(struct dut *d, const char *before, const char *name) {
    char plain[128];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof plain; n++) plain[n] = name[n] < 0x20 || name[n] >= 0x7f || name[n] == ']' ? '?' : name[n];
    plain[n] = 0;
    line_print(&d->line, "%s[%s]\r\n", before, plain);
}

static void say_name(struct dut *d, char *rest) {
    char name[80];
    (void)rest;
    snprintf(name, sizeof name, "edge-%s", d->session->program->target);
    say_bracketed(d, "m-name-dut-", name);
}

static void say_profile(struct dut *d, char *rest) {
    (void)rest;
    line_print(&d->line, "m-profile-[%s]\r\n", FIRMWARE);
    say_bracketed(d, "m-model-", d->model);
}

static void say_help(struct dut *d, char *rest) {
    (void)rest;
    line_print(&d->line, "%s\r\n\r\nhelp, name, timestamp, profile, results\r\n", FIRMWARE);
    line_print(&d->line, "db load N    : expect N bytes of input\r\ndb HH[HH]*   : the next of them\r\ndb print     : all of them\r\n");
    line_print(&d->line, "infer N [W=%d]: N inferences between two timestamps, after W\r\n", DEFAULT_WARMUP);
}

/* In performance mode the time is told; in energy mode an edge on a pin tells the meter, and the line keeps still. */
static void stamp(struct dut *d, char *rest) {
    (void)rest;
    if (d->pin < 0) {
        line_print(&d->line, "m-lap-us-%llu\r\n", (unsigned long long)edge_now_ns() / 1000);
        line_flush(&d->line);
        return;
    }
    const struct timespec hold = {.tv_nsec = HOLD_NS};
    int good = write(d->pin, "0", 1) == 1;
    nanosleep(&hold, NULL);
    good = write(d->pin, "1", 1) == 1 && good;
    if (!good) line_print(&d->line, "e-[Timestamp pin: %s]\r\n", strerror(errno));
}

#define NUMBERS(X) \
    X("float32", float) X("float64", double) X("int8", int8_t) X("uint8", uint8_t) X("int16", int16_t) X("uint16", uint16_t) \
    X("int32", int32_t) X("uint32", uint32_t) X("int64", int64_t) X("uint64", uint64_t) X("bool", uint8_t)

static void say_values(struct dut *d, const struct edge_tensor *t, const void *data, int first) {
#define SAY(name, type) \
    if (strcmp(t->dtype, name) == 0) \
        for (size_t i = 0; i < t->bytes / sizeof(type); i++) line_print(&d->line, i || !first ? ",%.3f" : "%.3f", (double)((const type *)data)[i]);
    NUMBERS(SAY)
#undef SAY
}

static void say_results(struct dut *d, char *rest) {
    const struct edge_program *p = d->session->program;
    (void)rest;
    if (!d->ran) {
        line_print(&d->line, "e-[No inference yet]\r\n");
        return;
    }
    line_print(&d->line, "m-results-[");
    for (int i = 0; i < p->n_outputs; i++) say_values(d, &p->outputs[i], d->session->outputs[i], i == 0);
    line_print(&d->line, "]\r\n");
}

/* A count of inferences; -1 for what is none. */
static long times(const char *word) {
    char *end;
    const long value = strtol(word, &end, 10);
    return *end || end == word || value > MAX_TIMES ? -1 : value;
}

/* Returns 1, or 0 with the host told what is wrong with its data. */
static int run_times(struct dut *d, long count) {
    int result = EDGE_OK;
    for (; result == EDGE_OK && count > 0 && !line_stopped(); count--) {
        edge_reset(d->session->model); /* each inference is one by itself */
        result = edge_run(d->session->model, d->session->inputs, d->session->outputs);
    }
    if (result != EDGE_OK) say_bracketed(d, "e-", edge_failure(d->session->model));
    return result == EDGE_OK;
}

static void infer(struct dut *d, char *rest) {
    const char *first = strtok_r(NULL, " ", &rest), *second = first ? strtok_r(NULL, " ", &rest) : NULL;
    const long count = first ? times(first) : 1, warmup = second ? times(second) : DEFAULT_WARMUP;
    if (count <= 0) line_print(&d->line, "e-[Inference iterations must be >0]\r\n");
    else if (warmup < 0) line_print(&d->line, "e-[Inference warmup must be >=0]\r\n");
    else if (d->loaded != d->capacity) line_print(&d->line, "e-[Input db has %zu bytes, expected %zu]\r\n", d->loaded, d->capacity);
    else {
        line_print(&d->line, "m-warmup-start-%ld\r\n", warmup);
        if (!run_times(d, warmup)) return;
        line_print(&d->line, "m-warmup-done\r\nm-infer-start-%ld\r\n", count);
        line_flush(&d->line);
        stamp(d, NULL);
        if (!run_times(d, count)) return;
        if (line_stopped()) return; /* nobody shall take this for a whole run */
        stamp(d, NULL);
        line_print(&d->line, "m-infer-done\r\n");
        line_flush(&d->line);
        d->ran = 1;
        say_results(d, NULL);
    }
}

static const struct command commands[] = {{"name", say_name}, {"timestamp", stamp}, {"profile", say_profile}, {"help", say_help},
                                          {"db", dut_db},     {"infer", infer},     {"results", say_results}};

static void obey(struct dut *d, char *text) {
    char *rest = NULL;
    const char *word = strtok_r(text, " ", &rest);
    if (!word) return;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].word, word) != 0) continue;
        commands[i].run(d, rest);
        return;
    }
    line_print(&d->line, "e-[Unknown command: %s]\r\n", word);
}

static void converse(struct dut *d) {
    char text[MAX_COMMAND + 1];
    line_print(&d->line, "m-timestamp-mode-%s\r\n", d->pin < 0 ? "performance" : "energy");
    stamp(d, NULL);
    line_print(&d->line, "m-init-done\r\nm-ready\r\n");
    for (;;) {
        line_flush(&d->line);
        const int got = d->line.lost ? LINE_ENDED : line_command(&d->line, text, MAX_COMMAND);
        if (got == LINE_ENDED) return;
        if (got == LINE_TOO_LONG) line_print(&d->line, "e-[Command exceeds %d characters]\r\n", MAX_COMMAND);
        else obey(d, text);
        line_print(&d->line, "m-ready\r\n");
    }
}

int run_mlperf(struct session *session, const struct options *options) {
    const struct edge_program *p = session->program;
    struct dut d = {.session = session, .model = options->model_id ? options->model_id : p->name, .pin = -1};
    for (int i = 0; i < p->n_inputs; i++) d.capacity += p->inputs[i].bytes;
    if (options->pin && (d.pin = open(options->pin, O_WRONLY | O_CLOEXEC)) < 0) {
        complain("%s: %s", options->pin, strerror(errno));
        return EXIT_USAGE;
    }
    const int open = line_open(&d.line, options->tty, options->baud ? options->baud : options->pin ? ENERGY_BAUD : BAUD);
    if (open) {
        converse(&d);
        line_close(&d.line);
    }
    if (d.pin >= 0) close(d.pin);
    return open ? EXIT_GOOD : EXIT_USAGE;
}
