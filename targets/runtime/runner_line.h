/* A line of characters to a host: stdin and stdout, or a tty of its own. */
#ifndef EDGE_RUNNER_LINE_H
#define EDGE_RUNNER_LINE_H
#include <stddef.h>
#include <termios.h>

enum { LINE_ENDED = -1, LINE_TOO_LONG = -2 };

struct line {
    int in, out, lost; /* lost: the host has gone, nothing more is written */
    int own;           /* in and out are a tty that we opened */
    int changed;       /* `saved` is what the tty was before */
    struct termios saved;
    unsigned char read[512];
    size_t read_at, read_end;
    char text[4096]; /* waits for line_flush */
    size_t text_bytes;
};

/* tty: a device file, or NULL for stdin and stdout. baud: for a device file. Returns 1, or 0 with the mistake printed. */
int line_open(struct line *line, const char *tty, long baud);
void line_close(struct line *line);

/* The characters before the next '%', line ends left out, with a NUL at their end: their number, or LINE_ENDED, or LINE_TOO_LONG for more than `most`. */
int line_command(struct line *line, char *command, int most);

void line_print(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
void line_flush(struct line *line);

/* SIGINT, SIGTERM or SIGHUP has come. */
int line_stopped(void);
#endif
