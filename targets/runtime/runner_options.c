#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

enum kind { FLAG, COUNT, SECONDS, TEXT, INPUT, OUTPUT, SAMPLE };

struct option {
    const char *name;
    enum kind kind;
    size_t at; /* of the field in struct options */
    const char *help;
};

#define FIELD(field) offsetof(struct options, field)
static const struct option table[] = {
    {"--bench", FLAG, FIELD(bench), "measure: init, first inference, warm-up, steady state"},
    {"--runs", COUNT, FIELD(runs), "N  measured inferences, at least (100)"},
    {"--warmup", COUNT, FIELD(warmup), "N  inferences before measuring (10)"},
    {"--min-secs", SECONDS, FIELD(min_secs), "S  measure for at least so long (3)"},
    {"--per-layer", FLAG, FIELD(per_layer), "time each step as well"},
    {"--threads", COUNT, FIELD(threads), "N  0 for one a CPU (1)"},
    {"--idle-secs", SECONDS, FIELD(idle_secs), "S  sleep so long before and after measuring (0)"},
    {"--sample", SAMPLE, 0, "FILE  read its number while measuring, e.g. a meter's; up to 16 files; shown by --json"},
    {"--sample-ms", COUNT, FIELD(sample_ms), "N  so often (10)"},
    {"--json", FLAG, FIELD(json), "print JSON and nothing else"},
    {"--input", INPUT, 0, "[NAME=]FILE  raw little-endian values or .npy"},
    {"--output", OUTPUT, 0, "[NAME=]FILE  .npy where the name ends so, else raw"},
    {"--stream", FLAG, FIELD(stream), "the raw files hold many inputs, one after another: run each"},
    {"--vector", COUNT, FIELD(vector), "N  take test vector N for input; with --verify: that one alone"},
    {"--trace", TEXT, FIELD(trace), "FILE  what each step wrote, in order, raw"},
    {"--verify", FLAG, FIELD(verify), "run the test vectors in this file and compare"},
    {"--level", TEXT, FIELD(level), "NAME  force an ISA level"},
    {"--file", TEXT, FIELD(file), "FILE.edge  take weights and expected outputs from there, not from this file"},
    {"--mlperf", FLAG, FIELD(mlperf), "speak the MLPerf Tiny serial protocol on stdin and stdout"},
    {"--tty", TEXT, FIELD(tty), "DEVICE  speak it there"},
    {"--baud", COUNT, FIELD(baud), "N  of the tty (115200; 9600 in energy mode)"},
    {"--model-id", TEXT, FIELD(model_id), "NAME  what it answers to profile%, e.g. kws01"},
    {"--pin", TEXT, FIELD(pin), "FILE  energy mode: a GPIO's value file, 0 and 1 are written to it for a timestamp"},
    {"--info", FLAG, FIELD(info), "inputs, outputs, levels, memory"},
    {"--count", FLAG, FIELD(count), "run once, a marker instruction around each step: for an emulator that counts"},
    {"--help", FLAG, FIELD(help), "this"},
};

void print_help(const char *program) {
    printf("usage: %s [options]\n\n", program);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) printf("  %-12s %s\n", table[i].name, table[i].help);
}

/* Where the name in NAME=FILE ends: a name may hold '=', so the longest one that the model has wins. */
static const char *end_of_name(const char *word, const struct edge_tensor *tensors, int count) {
    size_t longest = 0;
    for (int i = 0; i < count; i++) {
        const size_t bytes = strlen(tensors[i].name);
        if (bytes > longest && strncmp(word, tensors[i].name, bytes) == 0 && word[bytes] == '=') longest = bytes;
    }
    return longest ? word + longest : strchr(word, '=');
}

static int add_file(struct named_file *files, int *count, const char *word, const struct edge_tensor *tensors, int n) {
    const char *equals = end_of_name(word, tensors, n);
    files[(*count)++] = equals ? (struct named_file){word, (size_t)(equals - word), equals + 1} : (struct named_file){word, 0, word};
    return 1;
}

static int add_sample(struct options *options, const char *word) {
    if (options->n_samples == RUNNER_MAX_SAMPLES) return 0;
    options->samples[options->n_samples++] = word;
    return 1;
}

static int store(const struct option *option, const char *word, struct options *options) {
    char *field = (char *)options + option->at;
    char *end = NULL;
    switch (option->kind) {
    case FLAG: *(int *)(void *)field = 1; return 1;
    case COUNT: *(long *)(void *)field = strtol(word, &end, 10); return *word && !*end && *(long *)(void *)field >= 0 && *(long *)(void *)field < 100000000;
    case SECONDS: *(double *)(void *)field = strtod(word, &end); return *word && !*end && *(double *)(void *)field >= 0 && *(double *)(void *)field < 1e6;
    case TEXT: *(const char **)(void *)field = word; return 1;
    case INPUT: return add_file(options->inputs, &options->n_inputs, word, edge_program.inputs, edge_program.n_inputs);
    case OUTPUT: return add_file(options->outputs, &options->n_outputs, word, edge_program.outputs, edge_program.n_outputs);
    case SAMPLE: return add_sample(options, word);
    }
    return 0;
}

int parse_options(int count, char **words, struct options *options) {
    *options = (struct options){.runs = 100, .warmup = 10, .threads = 1, .vector = -1, .min_secs = 3, .sample_ms = 10};
    options->inputs = calloc((size_t)count + 1, sizeof *options->inputs);
    options->outputs = calloc((size_t)count + 1, sizeof *options->outputs);
    if (!options->inputs || !options->outputs) {
        complain("no memory for options");
        return 0;
    }
    for (int i = 1; i < count; i++) {
        const struct option *option = NULL;
        for (size_t k = 0; k < sizeof table / sizeof table[0]; k++)
            if (strcmp(table[k].name, words[i]) == 0) option = &table[k];
        if (!option) {
            complain("%s: no such option (--help lists them)", words[i]);
            return 0;
        }
        if (option->kind != FLAG && i + 1 == count) {
            complain("%s: needs a value (%s)", option->name, option->help);
            return 0;
        }
        const char *word = option->kind == FLAG ? "" : words[++i];
        if (!store(option, word, options)) {
            complain("%s: '%s' is not good (%s)", option->name, word, option->help);
            return 0;
        }
    }
    return 1;
}

void free_options(struct options *options) {
    free(options->inputs);
    free(options->outputs);
}
