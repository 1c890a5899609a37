/* Strings from a model on a terminal and in JSON; the table of --info. */
#include <stdarg.h>
#include <stdio.h>

#include "runner.h"

static int prints(char c) { return (unsigned char)c >= 0x20 && c != 0x7f; }

void complain(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *c = line; *c; c++)
        if (!prints(*c)) *c = '?';
    fprintf(stderr, "edge: %s\n", line);
}

void print_json_string(const char *text) {
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\') printf("\\%c", *c);
        else if (*c < 0x20 || *c == 0x7f) printf("\\u%04x", *c);
        else putchar(*c);
    }
    putchar('"');
}

void print_plain(const char *text, int width) {
    for (int i = 0; i < width && *text; i++, text++) putchar(prints(*text) ? *text : '?');
}

void print_tensors(const char *key, const struct edge_tensor *tensors, int count) {
    printf("\"%s\": [", key);
    for (int i = 0; i < count; i++) {
        printf("%s{\"name\": ", i ? ", " : "");
        print_json_string(tensors[i].name);
        printf(", \"dtype\": \"%s\", \"shape\": [", tensors[i].dtype);
        for (int k = 0; k < tensors[i].rank; k++) printf("%s%lld", k ? ", " : "", (long long)tensors[i].dims[k]);
        printf("]}");
    }
    printf("]");
}

static void print_names(const struct session *s) {
    const uint64_t have = edge_cpu_features();
    printf("\"levels\": [");
    for (int i = 0; i < s->program->n_levels; i++) {
        const struct edge_level *level = &s->program->levels[i];
        char missing[256];
        edge_cpu_names(level->features & ~have, missing, sizeof missing);
        printf("%s{\"name\": \"%s\", \"missing\": \"%s\"}", i ? ", " : "", level->name, missing);
    }
    printf("], ");
}

int run_info(const struct session *s, const struct options *options) {
    (void)options; /* the only form is JSON: it is short enough to read */
    printf("{\"name\": ");
    print_json_string(s->program->name);
    printf(", \"target\": ");
    print_json_string(s->program->target);
    printf(", \"level\": \"%s\", ", edge_level(s->model));
    print_names(s);
    printf("\"now_ns\": %llu, ", (unsigned long long)edge_now_ns()); /* so that another machine can compare clocks */
    printf("\"steps\": %d, \"arena_bytes\": %zu, \"weights_bytes\": %zu, ", s->program->n_steps, s->program->arena_bytes, s->program->weights_bytes);
    print_tensors("inputs", s->program->inputs, s->program->n_inputs);
    printf(", ");
    print_tensors("outputs", s->program->outputs, s->program->n_outputs);
    printf("}\n");
    return EXIT_GOOD;
}
