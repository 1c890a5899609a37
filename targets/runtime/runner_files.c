/* Inputs from raw or .npy files, outputs to them, and the trace. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

/* .npy 1.0: magic, version, a Python dict, then the values [numpy, format.py, "Format Version 1.0"] */
enum { NPY_MAGIC_BYTES = 10, NPY_MAX_HEADER = 4096 };
static const unsigned char npy_magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};

static const struct {
    const char *dtype, *descr;
} descrs[] = {{"float32", "<f4"}, {"float64", "<f8"}, {"bool", "|b1"},  {"uint8", "|u1"},  {"int8", "|i1"},  {"uint16", "<u2"},
              {"int16", "<i2"},   {"uint32", "<u4"},  {"int32", "<i4"}, {"uint64", "<u8"}, {"int64", "<i8"}, {"float16", "<f2"}};

static const char *descr_of(const char *dtype) {
    for (size_t i = 0; i < sizeof descrs / sizeof descrs[0]; i++)
        if (strcmp(descrs[i].dtype, dtype) == 0) return descrs[i].descr;
    return "";
}

/* The header that numpy itself writes for this tensor, without its padding. */
static void npy_dict(const struct edge_tensor *tensor, char *text, size_t bytes) {
    size_t used = (size_t)snprintf(text, bytes, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr_of(tensor->dtype));
    for (int i = 0; i < tensor->rank; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%lld%s", i ? ", " : "", (long long)tensor->dims[i], tensor->rank == 1 ? "," : "");
    snprintf(text + used, bytes - used, "), }");
}

/* Leaves the file at its first value, or, where it is raw, after the `*taken` bytes of values that lie in `start`: a pipe cannot be turned back.
 * Returns 0 when it is .npy of another dtype, order or shape. */
static int skip_header(FILE *file, const struct edge_tensor *tensor, unsigned char start[NPY_MAGIC_BYTES], size_t *taken) {
    char expected[512], header[NPY_MAX_HEADER];
    *taken = fread(start, 1, NPY_MAGIC_BYTES, file);
    if (*taken != NPY_MAGIC_BYTES || memcmp(start, npy_magic, sizeof npy_magic) != 0) return 1;
    *taken = 0;
    const size_t bytes = (size_t)(start[8] | start[9] << 8);
    npy_dict(tensor, expected, sizeof expected);
    return bytes <= sizeof header && fread(header, 1, bytes, file) == bytes && bytes >= strlen(expected) &&
           memcmp(header, expected, strlen(expected)) == 0;
}

static int read_tensor(const char *path, const struct edge_tensor *tensor, unsigned char *data) {
    unsigned char start[NPY_MAGIC_BYTES];
    size_t taken = 0;
    FILE *file = fopen(path, "rb");
    if (!file) {
        complain("%s: %s", path, strerror(errno));
        return 0;
    }
    const int same = skip_header(file, tensor, start, &taken);
    int whole = same && taken <= tensor->bytes;
    if (whole) {
        memcpy(data, start, taken);
        whole = fread(data + taken, 1, tensor->bytes - taken, file) == tensor->bytes - taken && fgetc(file) == EOF;
    }
    fclose(file);
    char shape[512];
    npy_dict(tensor, shape, sizeof shape);
    if (!same) complain("%s: another dtype, order or shape than the model's (it takes %s)", path, shape);
    else if (!whole) complain("%s: not %zu bytes of values (the model takes %s)", path, tensor->bytes, shape);
    return whole;
}

static int write_tensor(const char *path, const struct edge_tensor *tensor, const void *data) {
    const char *dot = strrchr(path, '.');
    FILE *file = fopen(path, "wb");
    int good = file != NULL;
    if (good && dot && strcmp(dot, ".npy") == 0) {
        char dict[512], header[640];
        npy_dict(tensor, dict, sizeof dict);
        const size_t total = (NPY_MAGIC_BYTES + strlen(dict) + 1 + 63) / 64 * 64, bytes = total - NPY_MAGIC_BYTES;
        memcpy(header, npy_magic, sizeof npy_magic);
        header[8] = (char)(bytes & 255);
        header[9] = (char)(bytes >> 8);
        snprintf(header + NPY_MAGIC_BYTES, sizeof header - NPY_MAGIC_BYTES, "%-*s\n", (int)bytes - 1, dict);
        good = fwrite(header, 1, total, file) == total;
    }
    good = good && fwrite(data, 1, tensor->bytes, file) == tensor->bytes;
    if (file && fclose(file) != 0) good = 0;
    if (!good) complain("%s: %s", path, strerror(errno));
    return good;
}

int find_tensor(const struct named_file *file, const struct edge_tensor *tensors, int count, const char *what) {
    for (int i = 0; i < count; i++) {
        const size_t bytes = strlen(tensors[i].name);
        if (file->name_bytes ? bytes == file->name_bytes && memcmp(file->name, tensors[i].name, bytes) == 0 : count == 1) return i;
    }
    if (file->name_bytes) complain("%.*s: no %s of this model (--info lists them)", (int)file->name_bytes, file->name, what);
    else complain("%s: which %s is it for? (--%s NAME=FILE; --info lists the names)", file->path, what, what);
    return -1;
}

static int write_step(void *user, int step, const char *name, const void *data, size_t bytes) {
    (void)step;
    (void)name;
    return fwrite(data, 1, bytes, user) != bytes;
}

static int trace(struct session *session, const char *path) {
    FILE *file = fopen(path, "wb");
    const int result = file ? edge_trace(session->model, session->inputs, session->outputs, write_step, file) : EDGE_STOPPED;
    int good = result != EDGE_STOPPED;
    if (file && fclose(file) != 0) good = 0;
    if (!good) complain("%s: %s", path, strerror(errno));
    return good && run_good(session, result);
}

int inputs_once(const struct options *options, const struct edge_program *program) {
    for (int i = 0; i < options->n_inputs; i++) {
        const int at = find_tensor(&options->inputs[i], program->inputs, program->n_inputs, "input");
        if (at < 0) return 0;
        for (int k = 0; k < i; k++)
            if (find_tensor(&options->inputs[k], program->inputs, program->n_inputs, "input") == at) {
                complain("%s: is given twice (give --input %s=FILE once)", program->inputs[at].name, program->inputs[at].name);
                return 0;
            }
    }
    return 1;
}

int read_inputs(struct session *session, const struct options *options, int filled) {
    const struct edge_program *p = session->program;
    if (!inputs_once(options, p)) return 0;
    for (int i = 0; i < p->n_inputs; i++) {
        const struct named_file *from = NULL;
        for (int k = 0; k < options->n_inputs; k++)
            if (find_tensor(&options->inputs[k], p->inputs, p->n_inputs, "input") == i) from = &options->inputs[k];
        if (from && !read_tensor(from->path, &p->inputs[i], (unsigned char *)(uintptr_t)session->inputs[i])) return 0;
        if (!from && !filled) {
            complain("%s: no value (--input %s=FILE, or --vector 0)", p->inputs[i].name, p->inputs[i].name);
            return 0;
        }
    }
    return 1;
}

int run_files(struct session *session, const struct options *options) {
    const struct edge_program *p = session->program;
    if (options->vector >= 0 && !call_vector(session, (int)options->vector)) return EXIT_USAGE;
    if (!read_inputs(session, options, options->vector >= 0)) return EXIT_USAGE;
    if (options->trace && !trace(session, options->trace)) return EXIT_USAGE;
    if (!options->trace && !run_once(session)) return EXIT_USAGE;
    for (int i = 0; i < options->n_outputs; i++) {
        const int at = find_tensor(&options->outputs[i], p->outputs, p->n_outputs, "output");
        if (at < 0 || !write_tensor(options->outputs[i].path, &p->outputs[at], session->outputs[at])) return EXIT_USAGE;
    }
    return EXIT_GOOD;
}
