/* A C program with a model inside it, by the three calls of edge.h.
 *
 *     unzip -o model.edge include/edge.h lib/libmodel.so
 *     cc -std=c11 -O2 -Iinclude classify.c -Llib -lmodel -Wl,-rpath,'$ORIGIN/lib' -o classify
 *     ./classify model.edge < input.raw
 *
 * Reads the first input's values (raw, little-endian) from stdin and prints the largest five of the first output.
 */
#include <edge.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 5 };

static void print_top(const float *scores, size_t count) {
    char *taken = calloc(count, 1);
    for (int rank = 0; taken && rank < TOP && (size_t)rank < count; rank++) {
        size_t best = count;
        for (size_t i = 0; i < count; i++)
            if (!taken[i] && (best == count || scores[i] > scores[best])) best = i;
        taken[best] = 1;
        printf("%zu %.6g\n", best, (double)scores[best]);
    }
    free(taken);
}

int main(int count, char **words) {
    char error[512];
    struct edge_model *model = count == 2 ? edge_create(words[1], 0, error, sizeof error) : NULL;
    if (!model) {
        fprintf(stderr, "%s\n", count == 2 ? error : "usage: classify MODEL.edge < input.raw");
        return 1;
    }
    const struct edge_tensor *input = edge_input(model, 0), *output = edge_output(model, 0);
    if (edge_input_count(model) != 1 || strcmp(output->dtype, "float32") != 0) {
        fprintf(stderr, "this example is for one input and float32 scores\n");
        return 1;
    }
    void *picture = malloc(input->bytes);
    void **outputs = calloc((size_t)edge_output_count(model), sizeof *outputs);
    int good = picture && outputs && fread(picture, 1, input->bytes, stdin) == input->bytes;
    for (int i = 0; good && i < edge_output_count(model); i++) good = (outputs[i] = malloc(edge_output(model, i)->bytes)) != NULL;
    if (good) {
        const void *inputs[] = {picture};
        good = edge_run(model, inputs, outputs) == EDGE_OK;
        print_top(outputs[0], output->bytes / sizeof(float));
    } else {
        fprintf(stderr, "%s: needs %zu bytes of %s on stdin\n", input->name, input->bytes, input->dtype);
    }
    for (int i = 0; outputs && i < edge_output_count(model); i++) free(outputs[i]);
    free(outputs);
    free(picture);
    edge_destroy(model);
    return good ? 0 : 1;
}
