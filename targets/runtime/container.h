/* The zip at the end of an .edge file, read where it lies. Nothing in the file is trusted: every offset is checked. */
#ifndef EDGE_CONTAINER_H
#define EDGE_CONTAINER_H
#include <stddef.h>

struct edge_span {
    const unsigned char *data;
    size_t bytes;
};

/* Maps a file for reading. Returns 1, or 0 with one line in error. */
int edge_map(const char *path, struct edge_span *file, char *error, size_t error_bytes);
void edge_unmap(struct edge_span file);

/* Finds a stored (uncompressed) entry. align: what its offset in the file must divide by.
 * Returns 1; 0 with one line in error when the zip is damaged or has no such entry. */
int edge_find(struct edge_span file, const char *name, size_t align, struct edge_span *entry, char *error, size_t error_bytes);
#endif
