/* What the two halves of the MLPerf Tiny device share: runner_mlperf.c talks and infers, runner_mlperf_db.c keeps the input. */
#ifndef EDGE_RUNNER_MLPERF_H
#define EDGE_RUNNER_MLPERF_H
#include "runner.h"
#include "runner_line.h"

/* announced, loaded: bytes of the input that `db load` spoke of and that came. Several inputs follow each other without gaps. */
struct dut {
    struct session *session;
    struct line line;
    const char *model;
    int pin; /* of the timestamp in energy mode, or -1 */
    size_t capacity, announced, loaded;
    int ran;
};

/* `db load N`, `db HH…`, `db print`; rest: of strtok_r. */
void dut_db(struct dut *d, char *rest);
#endif
