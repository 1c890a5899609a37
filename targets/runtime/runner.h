/* The program around a model: files in and out, measurement, self-check. Only runner_*.c include this; the library has none of it. */
#ifndef EDGE_RUNNER_H
#define EDGE_RUNNER_H
#include "model.h"

enum { RUNNER_MAX_SAMPLES = 16 };
enum { EXIT_GOOD = 0, EXIT_CHECK_FAILED = 1, EXIT_USAGE = 2, EXIT_DEVICE = 3 };

struct named_file {
    const char *name; /* not terminated: name_bytes long; 0 bytes when the tensor is not named */
    size_t name_bytes;
    const char *path;
};

struct options {
    int bench, per_layer, json, verify, info, count, stream, help;
    long runs, warmup, threads, vector; /* vector: -1 when not asked for */
    long sample_ms;
    double min_secs, idle_secs;
    const char *level, *trace;
    int mlperf;
    long baud;
    const char *tty, *model_id, *pin;
    const char *file;
    struct named_file *inputs, *outputs; /* as many as are asked for */
    int n_inputs, n_outputs;
    const char *samples[RUNNER_MAX_SAMPLES]; /* files to read while measuring */
    int n_samples;
};

/* The model and one buffer for each of its inputs and outputs. */
struct session {
    struct edge_model *model;
    const struct edge_program *program;
    const void **inputs;
    void **outputs;
    uint64_t init_ns;
    int result; /* of the latest run */
};

/* Returns 1, or 0 with the mistake printed; free_options is due in both cases. */
int parse_options(int count, char **words, struct options *options);
void free_options(struct options *options);
void print_help(const char *program);

/* Each returns an exit code. */
int run_bench(struct session *session, const struct options *options);
int run_verify(struct session *session, const struct options *options);
int run_count(struct session *session, const struct options *options);
int run_info(const struct session *session, const struct options *options);
int run_files(struct session *session, const struct options *options);
int run_stream(struct session *session, const struct options *options);
int run_mlperf(struct session *session, const struct options *options);

/* The tensor a file is meant for: by its name, or the only one; -1 with the mistake printed. what: "input" or "output". */
int find_tensor(const struct named_file *file, const struct edge_tensor *tensors, int count, const char *what);

/* Runs the model once. Returns 1, or 0 with what is wrong with the data printed. */
int run_once(struct session *session);
int run_good(const struct session *session, int result); /* the same for what another run returned */
/* Is no input named twice?  Returns 1, or 0 with the mistake printed. */
int inputs_once(const struct options *options, const struct edge_program *program);

/* Fills every input from test vector number `vector`. Returns 1, or 0 with the mistake printed. */
int fill_inputs(struct session *session, int vector);

/* Reads the inputs that --input names; filled: the others have values already.  0 after a complaint. */
int read_inputs(struct session *session, const struct options *options, int filled);

/* The same, and all calls of that vector but the last one: a model with state is called several times from a reset. */
int call_vector(struct session *session, int vector);

/* Reads the files of --sample in a thread, from start to stop; *made is NULL where there are none, and all take NULL. start gives an exit code. */
struct sampler;
int sampler_start(struct sampler **made, const struct options *options);
void sampler_stop(struct sampler *sampler);
void sampler_print(const struct sampler *sampler);
void sampler_free(struct sampler *sampler);
void sleep_until(uint64_t ns);

/* Prints `edge: …` and a newline to stderr. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Strings from a model may hold anything: a JSON string with its quotes, or what prints. */
void print_json_string(const char *text);
void print_plain(const char *text, int width);
void print_tensors(const char *key, const struct edge_tensor *tensors, int count);
#endif
