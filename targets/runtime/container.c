#define _GNU_SOURCE
#include "container.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Sizes and field offsets: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16. */
enum { LOCAL_BYTES = 30, CENTRAL_BYTES = 46, END_BYTES = 22 };
enum { LOCAL_SIGN = 0x04034b50, CENTRAL_SIGN = 0x02014b50, END_SIGN = 0x06054b50 };
enum { FLAG_ENCRYPTED = 1, FLAG_SIZES_LATER = 8 };

static uint32_t u16(const unsigned char *p) { return (uint32_t)(p[0] | p[1] << 8); }
static uint32_t u32(const unsigned char *p) { return u16(p) | u16(p + 2) << 16; }

int edge_map(const char *path, struct edge_span *file, char *error, size_t error_bytes) {
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *map = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
        map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0) close(fd);
    if (map == MAP_FAILED) {
        snprintf(error, error_bytes, "%s: cannot be read (is it there, and readable?)", path);
        return 0;
    }
    *file = (struct edge_span){map, (size_t)info.st_size};
    return 1;
}

void edge_unmap(struct edge_span file) { munmap((void *)(uintptr_t)file.data, file.bytes); }

/* The end record is the last thing in our files (no comment), and the directory lies right before it. */
static const char *directory(struct edge_span file, struct edge_span *central, unsigned *entries) {
    if (file.bytes < END_BYTES) return "is too short for a zip";
    const size_t at = file.bytes - END_BYTES;
    const unsigned char *end = file.data + at;
    if (u32(end) != END_SIGN || u16(end + 20) != 0) return "has no zip at its end";
    if (u16(end + 4) != 0 || u16(end + 6) != 0 || u16(end + 8) != u16(end + 10)) return "is a zip on several disks";
    const size_t bytes = u32(end + 12), offset = u32(end + 16);
    if (offset > at || bytes != at - offset) return "has a zip directory in the wrong place";
    *entries = u16(end + 10);
    *central = (struct edge_span){file.data + offset, bytes};
    return NULL;
}

/* Follows one central record to its data, which must lie between the local header and the directory. */
static const char *follow(struct edge_span file, const unsigned char *record, size_t directory_at, struct edge_span *entry) {
    const uint32_t flags = u16(record + 8), method = u16(record + 10), name_bytes = u16(record + 28);
    const size_t packed = u32(record + 20), bytes = u32(record + 24), at = u32(record + 42);
    if (method != 0 || packed != bytes) return "is compressed and cannot be mapped";
    if (flags & (FLAG_ENCRYPTED | FLAG_SIZES_LATER)) return "is encrypted or streamed";
    if (at > directory_at || directory_at - at < LOCAL_BYTES) return "lies outside the file";
    const unsigned char *local = file.data + at;
    if (u32(local) != LOCAL_SIGN || u16(local + 26) != name_bytes || u16(local + 8) != method || u32(local + 22) != bytes)
        return "has a local header that contradicts the directory";
    const size_t start = LOCAL_BYTES + (size_t)name_bytes + u16(local + 28);
    if (start > directory_at - at || bytes > directory_at - at - start) return "lies outside the file";
    if (memcmp(local + LOCAL_BYTES, record + CENTRAL_BYTES, name_bytes) != 0) return "has two names";
    *entry = (struct edge_span){local + start, bytes};
    return NULL;
}

static const char *search(struct edge_span file, const char *name, size_t align, struct edge_span *entry) {
    struct edge_span central;
    unsigned entries;
    const char *wrong = directory(file, &central, &entries);
    if (wrong) return wrong;
    const size_t wanted = strlen(name), directory_at = (size_t)(central.data - file.data);
    const unsigned char *found = NULL;
    for (size_t at = 0; entries > 0; entries--) {
        if (central.bytes - at < CENTRAL_BYTES || u32(central.data + at) != CENTRAL_SIGN) return "has a damaged zip directory";
        const unsigned char *record = central.data + at;
        const size_t step = CENTRAL_BYTES + (size_t)u16(record + 28) + u16(record + 30) + u16(record + 32);
        if (step > central.bytes - at) return "has a damaged zip directory";
        if (u16(record + 28) == wanted && memcmp(record + CENTRAL_BYTES, name, wanted) == 0) {
            if (found) return "is there twice";
            found = record;
        }
        at += step;
    }
    if (!found) return "is not in the file";
    wrong = follow(file, found, directory_at, entry);
    if (!wrong && (size_t)(entry->data - file.data) % align != 0) return "is not aligned";
    return wrong;
}

int edge_find(struct edge_span file, const char *name, size_t align, struct edge_span *entry, char *error, size_t error_bytes) {
    const char *wrong = search(file, name, align, entry);
    if (wrong) snprintf(error, error_bytes, "%s: %s (the file is damaged or not an .edge file: copy or build it again)", name, wrong);
    return wrong == NULL;
}
