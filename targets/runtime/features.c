/* The names of CPU features, for the sentence that refuses a level. */
#include "cpu.h"

#include <string.h>

void edge_cpu_names(uint64_t features, char *text, size_t bytes) {
#define NAME(bit, macro, name) {(uint64_t)1 << bit, name},
    static const struct {
        uint64_t feature;
        const char *name;
    } names[] = {EDGE_CPU_FEATURES(NAME)};
    size_t used = 0;
    if (bytes) text[0] = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const size_t length = strlen(names[i].name);
        if (!(features & names[i].feature) || used + length + 2 > bytes) continue;
        if (used) text[used++] = ' ';
        memcpy(text + used, names[i].name, length + 1);
        used += length;
    }
}
