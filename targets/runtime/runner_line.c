/* Raw reading and writing on a terminal that is given back as it was; a signal ends the reading instead of the program. */
#define _GNU_SOURCE
#include "runner_line.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runner.h"

static const struct {
    long baud;
    speed_t speed;
} speeds[] = {{9600, B9600},     {19200, B19200},   {38400, B38400},   {57600, B57600},
              {115200, B115200}, {230400, B230400}, {460800, B460800}, {921600, B921600}};

static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

int line_stopped(void) { return stopped; }

/* Without SA_RESTART a signal ends a read, so that the terminal is put back. */
static void catch_signals(void) {
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = stop};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) sigaction(numbers[i], &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

static int speed_of(long baud, speed_t *speed) {
    for (size_t i = 0; i < sizeof speeds / sizeof speeds[0]; i++) {
        if (speeds[i].baud != baud) continue;
        *speed = speeds[i].speed;
        return 1;
    }
    return 0;
}

/* On stdin a person may sit: ^C goes on working there. */
static void make_raw(struct line *line, speed_t speed) {
    struct termios t;
    if (tcgetattr(line->in, &t) != 0) return;
    line->saved = t;
    const tcflag_t signals = t.c_lflag & (tcflag_t)ISIG;
    cfmakeraw(&t);
    if (line->own) {
        t.c_cflag |= CLOCAL | CREAD;
        cfsetspeed(&t, speed);
    } else t.c_lflag |= signals;
    line->changed = tcsetattr(line->in, TCSANOW, &t) == 0;
}

int line_open(struct line *line, const char *tty, long baud) {
    *line = (struct line){.in = STDIN_FILENO, .out = STDOUT_FILENO};
    speed_t speed = B0;
    if (tty && !speed_of(baud, &speed)) {
        complain("--baud: no rate of %ld (9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)", baud);
        return 0;
    }
    if (tty) {
        line->in = line->out = open(tty, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        if (line->in < 0) {
            complain("%s: %s", tty, strerror(errno));
            return 0;
        }
        if (!isatty(line->in)) {
            complain("%s: is no tty", tty);
            close(line->in);
            return 0;
        }
        fcntl(line->in, F_SETFL, 0); /* O_NONBLOCK was for a modem's carrier, which open would wait for */
        line->own = 1;
    }
    make_raw(line, speed);
    catch_signals();
    return 1;
}

void line_close(struct line *line) {
    line_flush(line);
    if (line->changed) tcsetattr(line->in, TCSANOW, &line->saved);
    if (line->own) close(line->in);
}

static int next_byte(struct line *line) {
    if (line->read_at == line->read_end) {
        const ssize_t got = stopped ? 0 : read(line->in, line->read, sizeof line->read);
        if (got <= 0) return LINE_ENDED;
        line->read_at = 0;
        line->read_end = (size_t)got;
    }
    return line->read[line->read_at++];
}

int line_command(struct line *line, char *command, int most) {
    int used = 0, over = 0;
    for (;;) {
        const int c = next_byte(line);
        if (c == LINE_ENDED) return LINE_ENDED;
        if (c == '%') break;
        if (c == '\r' || c == '\n') continue;
        if (used < most) command[used++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
        else over = 1;
    }
    command[used] = 0;
    return over ? LINE_TOO_LONG : used;
}

void line_print(struct line *line, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const size_t bytes = wanted < 0 ? 0 : (size_t)wanted < sizeof text ? (size_t)wanted : sizeof text - 1;
    if (bytes > sizeof line->text - line->text_bytes) line_flush(line);
    memcpy(line->text + line->text_bytes, text, bytes);
    line->text_bytes += bytes;
}

void line_flush(struct line *line) {
    size_t done = 0;
    while (done < line->text_bytes && !line->lost) {
        const ssize_t wrote = write(line->out, line->text + done, line->text_bytes - done);
        if (wrote > 0) done += (size_t)wrote;
        else line->lost = wrote == 0 || errno != EINTR || stopped;
    }
    line->text_bytes = 0;
}
