/* --count: one inference on test vector 0, one thread, with a marker instruction on both sides of each step's call.
 *
 * Nothing is counted here: an emulator does that (targets/count). Without one the run is an ordinary inference. */
#include <stdio.h>

#include "markers.h"
#include "runner.h"

static void run_marked(const struct edge_step *step, const struct edge_memory *memory) {
    MARK(MARKER_BEGIN);
    step->run(memory, 0, step->chunks);
    MARK(MARKER_END);
}

int run_count(struct session *session, const struct options *options) {
    (void)options; /* JSON is the only form */
    if (!EDGE_HAS_MARKERS) {
        complain("--count: this program is not for 64-bit Arm, the only machine that has markers (build it with --target arm64)");
        return EXIT_USAGE;
    }
    if (session->program->n_regions) {
        complain("--count: this program has loops, and steps of a loop cannot be counted yet (edge profile --per-layer times them)");
        return EXIT_USAGE;
    }
    if (!fill_inputs(session, 0)) return EXIT_USAGE;
    if (!run_good(session, edge_run_each(session->model, session->inputs, session->outputs, run_marked))) return EXIT_USAGE;
    printf("{\"level\": \"%s\", \"steps\": %d}\n", edge_level(session->model), session->program->n_steps);
    return EXIT_GOOD;
}
