/* small: the steps of level v2, written by edge.
 * Layouts: (N, C/16, H, W, 16) is channel-blocked, anything else is row-major. Weights lie packed in weights.bin. */
#define EDGE_BLOCK 16
#define EDGE_ACTS (0u)

#include "scalar.h"
#include "program.h"

void v2_step_0(const struct edge_memory *m, int begin, int end);
void v2_step_1(const struct edge_memory *m, int begin, int end);
void v2_step_2(const struct edge_memory *m, int begin, int end);
void v2_step_3(const struct edge_memory *m, int begin, int end);

static __attribute__((noinline)) void loops_0(int begin, int end, struct edge_fault *fault, int step, const void *x0_, const void *x1_, void *y_) {
    const int64_t *restrict x0 = x0_;
    const float *restrict x1 = x1_;
    float *restrict y = y_;
    (void)fault, (void)step;
    for (int64_t point = (int64_t)begin * 6 / 6; point < (int64_t)end * 6 / 6; point++) {
        const int64_t i1 = point % 3;
        const int64_t i0 = point / 3;
        const int64_t t0 = x0[i1];
        int64_t t1_0 = (int64_t)t0 < 0 ? (int64_t)t0 + 6 : (int64_t)t0;
        if ((uint64_t)t1_0 >= 6u) t1_0 = 0, edge_fail(fault, step, (int64_t)t0, 6);
        const float t1 = x1[i0 * 6 + t1_0];
        y[i0 * 3 + i1] = t1;
    }
}

/* g - Gather */
void v2_step_0(const struct edge_memory *m, int begin, int end) {
    loops_0(begin, end, m->fault, 1,
        m->inputs[1],  /* x0 (3) */
        m->inputs[0],  /* x1 (2, 6) */
        m->arena + 0);  /* y (2, 3) */
}

static __attribute__((noinline)) void loops_1(int begin, int end, struct edge_fault *fault, int step, const void *x0_, const void *x1_, void *y_) {
    const float *restrict x0 = x0_;
    const float *restrict x1 = x1_;
    uint8_t *restrict y = y_;
    (void)fault, (void)step;
    for (int64_t point = (int64_t)begin * 6 / 6; point < (int64_t)end * 6 / 6; point++) {
        const int64_t i0 = point;
        const float t0 = x0[i0];
        const float t1 = x1[0];
        const uint8_t t2 = lt_f32(t1, t0);
        y[i0] = t2;
    }
}

/* m - Greater */
void v2_step_1(const struct edge_memory *m, int begin, int end) {
    loops_1(begin, end, m->fault, 2,
        m->arena + 0,  /* x0 (2, 3) */
        m->weights + 0,  /* x1 (1) */
        m->arena + 64);  /* y (2, 3) */
}

static __attribute__((noinline)) void loops_2(int begin, int end, struct edge_fault *fault, int step, const void *x0_, void *y_) {
    const uint8_t *restrict x0 = x0_;
    int64_t *restrict y = y_;
    (void)fault, (void)step;
    for (int64_t point = (int64_t)begin * 6 / 6; point < (int64_t)end * 6 / 6; point++) {
        const int64_t i0 = point;
        const uint8_t t0 = x0[i0];
        const int64_t t1 = (int64_t)t0;
        y[i0] = t1;
    }
}

/* n - Cast */
void v2_step_2(const struct edge_memory *m, int begin, int end) {
    loops_2(begin, end, m->fault, 3,
        m->arena + 64,  /* x0 (2, 3) */
        m->arena + 0);  /* y (2, 3) */
}

static __attribute__((noinline)) void loops_3(int begin, int end, struct edge_fault *fault, int step, const void *x0_, void *y_) {
    const int64_t *restrict x0 = x0_;
    int64_t *restrict y = y_;
    (void)fault, (void)step;
    for (int64_t point = (int64_t)begin * 2 / 2; point < (int64_t)end * 2 / 2; point++) {
        const int64_t i0 = point;
        uint64_t carry = 0;
        for (int64_t i1 = 0; i1 < 3; i1++) {
            const int64_t t0 = x0[i0 * 3 + i1];
            carry += (uint64_t)(int64_t)t0;
        }
        y[i0] = (int64_t)carry;
    }
}

/* above - ReduceSum */
void v2_step_3(const struct edge_memory *m, int begin, int end) {
    loops_3(begin, end, m->fault, 4,
        m->arena + 0,  /* x0 (2, 3) */
        m->outputs[0]);  /* y (2) */
}

extern const struct edge_step edge_steps_v2[];
const struct edge_step edge_steps_v2[] = {
    {"g", "Gather", v2_step_0, 6, 0.0, 96.0, EDGE_PLACE_ARENA, 0, 24, 0},
    {"m", "Greater", v2_step_1, 6, 0.0, 34.0, EDGE_PLACE_ARENA, 64, 6, 0},
    {"n", "Cast", v2_step_2, 6, 0.0, 54.0, EDGE_PLACE_ARENA, 0, 48, 0},
    {"above", "ReduceSum", v2_step_3, 2, 0.0, 64.0, EDGE_PLACE_OUTPUT, 0, 16, 0},
};
