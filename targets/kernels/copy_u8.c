/* A copy byte for byte: an output of any type that is known when the model is built.  One chunk. */
#include <string.h>

#include "vector.h"

struct copy_u8 {
    const void *x;
    void *y;
    size_t n;
};

INLINE void copy_u8(int begin, int end, struct copy_u8 a) {
    if (begin < end) memcpy(a.y, a.x, a.n);
}
