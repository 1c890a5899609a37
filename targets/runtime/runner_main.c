/* An .edge file is this program with a zip behind it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "runner.h"

static int open_session(const struct options *options, struct session *s) {
    char error[512];
    if (options->level && setenv("EDGE_LEVEL", options->level, 1) != 0) return 0;
    const uint64_t start = edge_now_ns();
    s->model = edge_create(options->file, (int)options->threads, error, sizeof error);
    s->init_ns = edge_now_ns() - start;
    if (!s->model) {
        complain("%s", error);
        return 0;
    }
    s->program = edge_model_program(s->model);
    s->inputs = calloc((size_t)s->program->n_inputs + 1, sizeof *s->inputs);
    s->outputs = calloc((size_t)s->program->n_outputs + 1, sizeof *s->outputs);
    int good = s->inputs && s->outputs;
    for (int i = 0; good && i < s->program->n_inputs; i++) good = (s->inputs[i] = calloc(1, s->program->inputs[i].bytes + 1)) != NULL;
    for (int i = 0; good && i < s->program->n_outputs; i++) good = (s->outputs[i] = calloc(1, s->program->outputs[i].bytes + 1)) != NULL;
    if (!good) complain("no memory for inputs and outputs");
    return good;
}

static void close_session(struct session *s) {
    for (int i = 0; s->inputs && i < s->program->n_inputs; i++) free((void *)(uintptr_t)s->inputs[i]);
    for (int i = 0; s->outputs && i < s->program->n_outputs; i++) free(s->outputs[i]);
    free(s->inputs);
    free(s->outputs);
    edge_destroy(s->model);
}

int run_good(const struct session *s, int result) {
    if (result == EDGE_BAD_DATA) complain("%s", edge_failure(s->model));
    return result == EDGE_OK;
}

int run_once(struct session *s) { return run_good(s, edge_run(s->model, s->inputs, s->outputs)); }

int main(int count, char **words) {
    struct options options;
    struct session session = {0};
    if (!parse_options(count, words, &options)) {
        free_options(&options);
        return EXIT_USAGE;
    }
    const int files = options.n_inputs || options.n_outputs || options.trace || options.stream || options.vector >= 0;
    if (options.help || !(files || options.bench || options.verify || options.info || options.count || options.mlperf)) {
        print_help(words[0]);
        free_options(&options);
        return options.help ? EXIT_GOOD : EXIT_USAGE;
    }
    int code = EXIT_DEVICE;
    if (open_session(&options, &session)) {
        if (options.info) code = run_info(&session, &options);
        else if (options.count) code = run_count(&session, &options);
        else if (options.verify) code = run_verify(&session, &options);
        else if (options.bench) code = run_bench(&session, &options);
        else if (options.mlperf) code = run_mlperf(&session, &options);
        else if (options.stream) code = run_stream(&session, &options);
        else code = run_files(&session, &options);
    }
    if (session.program) close_session(&session);
    else edge_destroy(session.model);
    free_options(&options);
    if (fflush(stdout) != 0 && code == EXIT_GOOD) code = EXIT_DEVICE;
    return code;
}
