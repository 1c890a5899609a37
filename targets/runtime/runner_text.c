/* Strings from a model on a terminal and in JSON; the table of --info. */
#include <stdarg.h>
#include <stdio.h>

#include "runner.h"

enum { DAMAGED = 0xfffd };

/* The next character of UTF-8 text; DAMAGED for a byte that begins none, a surrogate, or a longer spelling than needed. */
static uint32_t next_character(const unsigned char **text) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *at = *text;
    const int more = at[0] < 0x80 ? 0 : at[0] >> 5 == 6 ? 1 : at[0] >> 4 == 14 ? 2 : at[0] >> 3 == 30 ? 3 : -1;
    uint32_t c = more < 1 ? at[0] : at[0] & (0x3fu >> more);
    *text = at + 1;
    if (more < 0) return DAMAGED;
    for (int i = 1; i <= more; i++) {
        if (at[i] >> 6 != 2) return DAMAGED;
        c = c << 6 | (at[i] & 0x3f);
    }
    *text = at + 1 + more;
    return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? DAMAGED : c;
}

/* THE list of what no terminal may get: C0 and C1 controls, and what is invisible or turns the direction of writing. */
static int prints(uint32_t c) {
    static const uint32_t hidden[][2] = {{0, 0x1f},        {0x7f, 0x9f},      {0xad, 0xad},      {0x61c, 0x61c},      {0x180e, 0x180e}, {0x200b, 0x200f},
                                         {0x2028, 0x202e}, {0x2060, 0x206f},  {0xfeff, 0xfeff},  {0xfff9, 0xfffb},    {DAMAGED, DAMAGED}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (c >= hidden[i][0] && c <= hidden[i][1]) return 0;
    return 1;
}

static void put_plain(FILE *file, const char *text, int width) {
    const unsigned char *at = (const unsigned char *)text;
    for (int i = 0; i < width && *at; i++) {
        const unsigned char *const start = at;
        if (prints(next_character(&at))) fwrite(start, 1, (size_t)(at - start), file);
        else fputc('?', file);
    }
}

void complain(const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs("edge: ", stderr);
    put_plain(stderr, line, sizeof line);
    fputc('\n', stderr);
}

void print_json_string(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    putchar('"');
    while (*at) {
        const unsigned char *const start = at;
        const uint32_t c = next_character(&at);
        if (c == '"' || c == '\\') printf("\\%c", (int)c);
        else if (prints(c)) fwrite(start, 1, (size_t)(at - start), stdout);
        else if (c < 0x10000) printf("\\u%04x", (unsigned)c);
        else printf("\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)), (unsigned)(0xdc00 + (c & 0x3ff)));
    }
    putchar('"');
}

void print_plain(const char *text, int width) { put_plain(stdout, text, width); }

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
