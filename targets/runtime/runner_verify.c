/* The file checks itself: inputs from the generator, outputs against expected.bin: for each vector, each output, raw; then, where the model itself
 * loses digits in float32, a double for each of them: the error that is allowed in place of vector_rtol. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runner.h"
#include "vectors.h"

int fill_inputs(struct session *session, int vector) {
    const struct edge_program *p = session->program;
    for (int i = 0; i < p->n_inputs; i++)
        if (!edge_fill(&p->inputs[i], p->vector_seed, vector, i, p->vector_ranges ? &p->vector_ranges[i] : NULL,
                       (void *)(uintptr_t)session->inputs[i])) {
            complain("%s: no test values for %s (give --input)", p->inputs[i].name, p->inputs[i].dtype);
            return 0;
        }
    return 1;
}

int call_vector(struct session *session, int vector) {
    if (!fill_inputs(session, vector)) return 0;
    edge_reset(session->model);
    for (int call = 1; call < session->program->vector_calls; call++) edge_run(session->model, session->inputs, session->outputs);
    return 1;
}

static void print_row(int row, int vector, const char *name, double difference, double largest, double limit, int good, int json) {
    const double error = largest > 0 ? difference / largest : difference;
    if (json) {
        printf("%s{\"vector\": %d, \"output\": ", row ? ", " : "", vector);
        print_json_string(name);
        if (isfinite(error)) printf(", \"error\": %.9g, \"difference\": %.9g", error, difference);
        else printf(", \"error\": null, \"difference\": null"); /* JSON has no infinity */
        printf(", \"limit\": %.9g, \"good\": %s}", limit, good ? "true" : "false");
    } else {
        printf("vector %d  ", vector);
        print_plain(name, 40);
        printf("  error %.3g  %s\n", error, good ? "good" : "WRONG");
    }
}

int run_verify(struct session *session, const struct options *options) {
    const struct edge_program *p = session->program;
    struct edge_span expected;
    char error[256];
    size_t total = 0, at = 0, limits;
    int wrong = 0, row = 0;
    const int first = options->vector < 0 ? 0 : (int)options->vector, last = options->vector < 0 ? p->n_vectors : first + 1;
    if (!edge_find(edge_model_file(session->model), "expected.bin", 1, &expected, error, sizeof error)) {
        complain("%s", error);
        return EXIT_USAGE;
    }
    for (int i = 0; i < p->n_outputs; i++) total += p->outputs[i].bytes;
    total *= (size_t)(p->n_vectors > 0 ? p->n_vectors : 0);
    limits = total == expected.bytes ? 0 : (size_t)p->n_vectors * (size_t)p->n_outputs * sizeof(double);
    if (p->n_vectors < 1 || expected.bytes != total + limits) {
        complain("expected.bin: %zu bytes for %d test vectors of %zu together (build the file again)", expected.bytes, p->n_vectors, total);
        return EXIT_USAGE;
    }
    if (last > p->n_vectors) {
        complain("--vector %d: the file has %d test vectors, from 0 on", first, p->n_vectors);
        return EXIT_USAGE;
    }
    at = total / (size_t)p->n_vectors * (size_t)first;
    if (options->json) printf("{\"level\": \"%s\", \"rtol\": %.9g, \"vectors\": [", edge_level(session->model), p->vector_rtol);
    for (int v = first; v < last; v++) {
        if (!call_vector(session, v)) return EXIT_USAGE;
        if (!run_once(session)) return EXIT_USAGE;
        for (int i = 0; i < p->n_outputs; at += p->outputs[i].bytes, i++, row++) {
            double difference = 0, largest = 0, limit = p->vector_rtol;
            if (limits) memcpy(&limit, expected.data + total + (size_t)(v * p->n_outputs + i) * sizeof limit, sizeof limit);
            const int known = (p->vector_sums ? edge_sums : edge_difference)(&p->outputs[i], session->outputs[i], expected.data + at, &difference, &largest);
            const int good = known && difference <= limit * largest;
            wrong += !good;
            print_row(row, v, p->outputs[i].name, difference, largest, limit, good, options->json);
        }
    }
    if (options->json) printf("], \"good\": %s}\n", wrong ? "false" : "true");
    return wrong ? EXIT_CHECK_FAILED : EXIT_GOOD;
}
