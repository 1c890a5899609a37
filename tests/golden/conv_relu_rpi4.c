/* small: the steps of level a72, written by edge.
 * Layouts: (N, C/4, H, W, 4) is channel-blocked, anything else is row-major. Weights lie packed in weights.bin. */
#define EDGE_BLOCK 4
#define EDGE_ACTS (1u << ACT_NONE | 1u << ACT_RELU)

#include "channels_f32.c"
#include "conv_f32.c"
#include "program.h"

void a72_step_0(const struct edge_memory *m, int begin, int end);
void a72_step_1(const struct edge_memory *m, int begin, int end);

static __attribute__((noinline)) void conv_f32_0(int begin, int end, const void *x0, const void *x1, const void *w, const void *bias, void *y) {
    conv_f32(begin, end, (struct conv_f32){.x[0] = x0, .x[1] = x1, .w = w, .bias = bias, .y = y, .from = {0, 0}, .count = {3, 0}, .x_image = {192, 192}, .planar = 1, .group_out = 0, .group_in = 0, .limit = 0, .images = 1, .h = 8, .wide = 8, .oh = 4, .ow = 4, .kh = 3, .kw = 3, .sh = 2, .sw = 2, .dh = 1, .dw = 1, .top = 1, .left = 1, .blocks = 2, .y_image = 128, .mr = 4, .nv = 2, .row_chunk = 1, .panel_chunk = 1, .act = {ACT_RELU, 0.0f, 0.0f}, .act2 = {ACT_NONE, 0.0f, 0.0f}});
}

/* map - Conv + Relu */
void a72_step_0(const struct edge_memory *m, int begin, int end) {
    conv_f32_0(begin, end,
        m->inputs[0],  /* x0 (1, 3, 8, 8) */
        m->inputs[0],  /* x1 (1, 3, 8, 8) */
        m->weights + 64,  /* w (2, 3, 3, 3, 4) */
        m->weights + 0,  /* bias (8) */
        m->arena + 0);  /* y (1, 2, 4, 4, 4) */
}

static __attribute__((noinline)) void channels_f32_1(int begin, int end, const void *x, void *y) {
    channels_f32(begin, end, (struct channels_f32){.x = x, .y = y, .x_planar = 0, .y_planar = 1, .images = 1, .pixels = 16, .from = 0, .to = 0, .count = 8, .x_image = 128, .y_image = 128});
}

/* map@planar - layout */
void a72_step_1(const struct edge_memory *m, int begin, int end) {
    channels_f32_1(begin, end,
        m->arena + 0,  /* x (1, 2, 4, 4, 4) */
        m->outputs[0]);  /* y (1, 8, 4, 4) */
}

extern const struct edge_step edge_steps_a72[];
const struct edge_step edge_steps_a72[] = {
    {"map", "Conv + Relu", a72_step_0, 4, 3456.0, 2176.0, EDGE_PLACE_ARENA, 0, 512, 0},
    {"map@planar", "layout", a72_step_1, 2, 0.0, 1024.0, EDGE_PLACE_OUTPUT, 0, 512, 0},
};
