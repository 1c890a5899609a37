/* The input of an MLPerf Tiny device: announced by `db load N`, sent in hexadecimal, kept where the model reads it. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runner_mlperf.h"

enum { PER_LINE = 8 };

static unsigned char *input_byte(struct dut *d, size_t at) {
    const struct edge_program *p = d->session->program;
    int i = 0;
    for (; at >= p->inputs[i].bytes; i++) at -= p->inputs[i].bytes;
    return (unsigned char *)(uintptr_t)d->session->inputs[i] + at;
}

static void db_load(struct dut *d, const char *word) {
    char *end;
    errno = 0;
    const long long bytes = word ? strtoll(word, &end, 10) : 0;
    d->announced = d->loaded = 0;
    if (!word) line_print(&d->line, "e-[Command 'db load' requires the # of bytes]\r\n");
    else if (bytes <= 0 || *end) line_print(&d->line, "e-[Command 'db load' must be >0 bytes]\r\n");
    else if ((unsigned long long)bytes > d->capacity)
        line_print(&d->line, "e-[Supplied buffer size %lld exceeds maximum of %zu]\r\n", bytes, d->capacity);
    else {
        d->announced = (size_t)bytes;
        line_print(&d->line, "m-[Expecting %zu bytes]\r\n", d->announced);
    }
}

static void db_print(struct dut *d) {
    for (size_t i = 0; i < d->announced; i++) {
        const int last = (i + 1) % PER_LINE == 0 || i + 1 == d->announced;
        line_print(&d->line, "%s%02x%s", i % PER_LINE ? "-" : "m-buffer-", *input_byte(d, i), last ? "\r\n" : "");
    }
}

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *found = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static void db_bytes(struct dut *d, const char *hex) {
    if (strlen(hex) % 2) {
        line_print(&d->line, "e-[Insufficent number of hex digits]\r\n"); /* as the reference spells it */
        return;
    }
    if (d->loaded == d->announced) {
        line_print(&d->line, "e-[Command 'db' needs 'db load' first]\r\n");
        return;
    }
    for (; *hex && d->loaded < d->announced; hex += 2) {
        const int high = hex_digit(hex[0]), low = hex_digit(hex[1]);
        if (high < 0 || low < 0) {
            line_print(&d->line, "e-[Invalid hex digit '%.2s']\r\n", hex);
            return;
        }
        *input_byte(d, d->loaded++) = (unsigned char)(high << 4 | low);
    }
    if (d->loaded == d->announced) line_print(&d->line, "m-load-done\r\n");
}

void dut_db(struct dut *d, char *rest) {
    const char *word = strtok_r(NULL, " ", &rest);
    if (!word) line_print(&d->line, "e-[Command 'db' requires a subcommand]\r\n");
    else if (strcmp(word, "load") == 0) db_load(d, strtok_r(NULL, " ", &rest));
    else if (strcmp(word, "print") == 0) db_print(d);
    else db_bytes(d, word);
}
