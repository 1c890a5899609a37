/* Small files (a meter's counters under /sys) read at a steady pace by a thread of its own while --bench runs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runner.h"

#ifndef MAX_ROWS /* fewer in tests */
#define MAX_ROWS (1 << 16)
#endif
enum { MAX_TEXT = 64 };

struct sampler {
    pthread_t thread;
    atomic_int over;
    uint64_t period_ns;
    int n_files;
    int files[RUNNER_MAX_SAMPLES];
    long rows, missed;
    uint64_t *t_ns;    /* (MAX_ROWS): the middle of the reads */
    long long *values; /* (MAX_ROWS, n_files) */
};

/* NULL and the number, or what is wrong with the file. */
static const char *read_number(int file, long long *value) {
    char text[MAX_TEXT], *end = NULL;
    const ssize_t length = pread(file, text, sizeof text - 1, 0);
    if (length < 0) return strerror(errno);
    text[length] = 0;
    errno = 0;
    *value = strtoll(text, &end, 10);
    const int blank = end != text && end[strspn(end, " \t\r\n")] == 0 && (size_t)(end - text) + strspn(end, " \t\r\n") == (size_t)length;
    return blank && errno == 0 ? NULL : "holds no whole number";
}

/* Where the room is full, every other reading is let go, and half as many are taken from then on. */
static void thin(struct sampler *s) {
    for (long i = 0; i < s->rows; i += 2) {
        s->t_ns[i / 2] = s->t_ns[i];
        memcpy(&s->values[i / 2 * s->n_files], &s->values[i * s->n_files], (size_t)s->n_files * sizeof *s->values);
    }
    s->rows = (s->rows + 1) / 2;
    s->period_ns *= 2;
}

static void take(struct sampler *s) {
    int good = 1;
    if (s->rows == MAX_ROWS) thin(s);
    const uint64_t before = edge_now_ns();
    for (int i = 0; good && i < s->n_files; i++) good = read_number(s->files[i], &s->values[s->rows * s->n_files + i]) == NULL;
    if (good) s->t_ns[s->rows++] = before + (edge_now_ns() - before) / 2;
    else s->missed++;
}

static void *work(void *argument) {
    struct sampler *s = argument;
    uint64_t due = edge_now_ns();
    while (!atomic_load(&s->over)) {
        take(s);
        const uint64_t now = edge_now_ns();
        due += s->period_ns;
        if (due < now) due = now; /* ticks that could not be met are not made up for */
        sleep_until(due);
    }
    take(s);
    return NULL;
}

void sleep_until(uint64_t ns) {
    const struct timespec until = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
}

static int open_files(struct sampler *s, const struct options *o) {
    for (; s->n_files < o->n_samples; s->n_files++) {
        const char *path = o->samples[s->n_files];
        long long value;
        /* O_NONBLOCK: opening a pipe must not wait for its other end */
        const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        const char *wrong = file < 0 ? strerror(errno) : read_number(file, &value);
        s->files[s->n_files] = file;
        if (wrong) {
            complain("--sample %s: %s", path, wrong);
            if (file >= 0) close(file);
            return 0;
        }
    }
    return 1;
}

int sampler_start(struct sampler **made, const struct options *o) {
    *made = NULL;
    if (!o->n_samples) return EXIT_GOOD;
    struct sampler *s = calloc(1, sizeof *s);
    if (!s) return EXIT_DEVICE;
    s->period_ns = (uint64_t)(o->sample_ms > 0 ? o->sample_ms : 1) * 1000000u;
    int code = open_files(s, o) ? EXIT_GOOD : EXIT_USAGE;
    if (code == EXIT_GOOD) {
        s->t_ns = malloc(MAX_ROWS * sizeof *s->t_ns);
        s->values = malloc((size_t)MAX_ROWS * (size_t)s->n_files * sizeof *s->values);
        if (!s->t_ns || !s->values || pthread_create(&s->thread, NULL, work, s) != 0) {
            complain("no memory or no thread to sample with");
            code = EXIT_DEVICE;
        }
    }
    if (code == EXIT_GOOD) *made = s;
    else sampler_free(s);
    return code;
}

void sampler_stop(struct sampler *s) {
    if (!s) return;
    atomic_store(&s->over, 1);
    pthread_join(s->thread, NULL);
}

void sampler_free(struct sampler *s) {
    if (!s) return;
    for (int i = 0; i < s->n_files; i++) close(s->files[i]);
    free(s->t_ns);
    free(s->values);
    free(s);
}

void sampler_print(const struct sampler *s) {
    if (!s) return;
    printf(", \"samples\": {\"t_ns\": [");
    for (long i = 0; i < s->rows; i++) printf("%s%llu", i ? "," : "", (unsigned long long)s->t_ns[i]);
    printf("], \"values\": [");
    for (int k = 0; k < s->n_files; k++) {
        printf("%s[", k ? ", " : "");
        for (long i = 0; i < s->rows; i++) printf("%s%lld", i ? "," : "", s->values[i * s->n_files + k]);
        printf("]");
    }
    printf("], \"missed\": %ld}", s->missed);
}
