/* Many inputs from one raw file, one after another, and their outputs into another: a data set, or a pipe from a camera. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

struct stream {
    FILE *file;
    const char *path;
    int at; /* which input or output */
};

static int open_all(const struct named_file *files, int count, const struct edge_tensor *tensors, int tensors_count, const char *what, struct stream *streams) {
    for (int i = 0; i < count; i++) {
        struct stream *s = &streams[i];
        s->path = files[i].path;
        s->at = find_tensor(&files[i], tensors, tensors_count, what);
        if (s->at < 0) return 0;
        s->file = fopen(s->path, strcmp(what, "input") == 0 ? "rb" : "wb");
        if (!s->file) {
            complain("%s: %s", s->path, strerror(errno));
            return 0;
        }
    }
    return 1;
}

/* Every input once more. Returns 1; 0 at the end of all of them; -1 with the mistake printed. */
static int read_all(struct session *session, struct stream *streams, int count, long done) {
    int ended = 0;
    for (int i = 0; i < count; i++) {
        const size_t bytes = session->program->inputs[streams[i].at].bytes;
        const size_t got = fread((void *)(uintptr_t)session->inputs[streams[i].at], 1, bytes, streams[i].file);
        if (got == 0 && feof(streams[i].file)) ended++;
        else if (got != bytes) {
            complain("%s: holds %ld inputs of %zu bytes and a part of one", streams[i].path, done, bytes);
            return -1;
        }
    }
    if (ended && ended != count) complain("the inputs end after %ld, but not all of them", done);
    return !ended ? 1 : ended == count ? 0 : -1;
}

static int write_all(struct session *session, struct stream *streams, int count) {
    for (int i = 0; i < count; i++) {
        const size_t bytes = session->program->outputs[streams[i].at].bytes;
        if (fwrite(session->outputs[streams[i].at], 1, bytes, streams[i].file) == bytes) continue;
        complain("%s: %s", streams[i].path, strerror(errno));
        return 0;
    }
    return 1;
}

int run_stream(struct session *session, const struct options *options) {
    const struct edge_program *p = session->program;
    struct stream *in = calloc((size_t)options->n_inputs + 1, sizeof *in), *out = calloc((size_t)options->n_outputs + 1, sizeof *out);
    int good = in && out && inputs_once(options, p);
    if (good && (options->n_inputs != p->n_inputs || p->n_inputs == 0)) {
        complain("--stream: %d of %d inputs have a file (--input NAME=FILE)", options->n_inputs, p->n_inputs);
        good = 0;
    }
    good = good && open_all(options->inputs, options->n_inputs, p->inputs, p->n_inputs, "input", in) &&
           open_all(options->outputs, options->n_outputs, p->outputs, p->n_outputs, "output", out);
    long done = 0;
    while (good) {
        const int more = read_all(session, in, options->n_inputs, done);
        if (more <= 0) {
            good = more == 0;
            break;
        }
        good = run_once(session);
        if (!good) complain("input %ld of the stream cannot be used", done);
        good = good && write_all(session, out, options->n_outputs);
        done++;
    }
    for (int i = 0; in && i < options->n_inputs; i++)
        if (in[i].file) fclose(in[i].file);
    for (int i = 0; out && i < options->n_outputs; i++)
        if (out[i].file && fclose(out[i].file) != 0 && good) {
            complain("%s: %s", out[i].path, strerror(errno));
            good = 0;
        }
    free(in);
    free(out);
    return good ? EXIT_GOOD : EXIT_USAGE;
}
