#define _POSIX_C_SOURCE 200809L

#include "ecgkd_port.h"
#include "linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_OUTPUT = 5 };
static int input = STDIN_FILENO;
static int output = STDOUT_FILENO;
const uint32_t ecgkd_port_ticks_per_second = 1000000000u;

static void give_up(const char *what)
{
    fprintf(stderr, "error: %s: %s\n", what, strerror(errno));
    exit(INPUT_OUTPUT);
}

void linux_read_from(const char *path)
{
    input = open(path, O_RDONLY);
    if (input < 0)
        give_up(path);
}

void linux_write_to(const char *path)
{
    output = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (output < 0)
        give_up(path);
}

/* The number behind `name` in a file of /proc, kB in bytes; 0 where there is none. */
static uint64_t proc_bytes(const char *path, const char *name)
{
    static char text[4096];
    const int file = open(path, O_RDONLY);
    const ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
    const char *found;
    if (file >= 0)
        close(file);
    text[n > 0 ? n : 0] = 0;
    found = strstr(text, name);
    return found == NULL ? 0 : (uint64_t)strtoul(found + strlen(name), NULL, 10) * 1024u;
}

uint64_t linux_peak_memory(void)
{
    /* Not getrusage: its figure starts from the memory of the process that called exec. The kernel counts the peak of so
     * small a process late; what it has now is exact, and nothing is ever given back. */
    const uint64_t peak = proc_bytes("/proc/self/status", "VmHWM:");
    const uint64_t now = proc_bytes("/proc/self/smaps_rollup", "\nRss:");
    return now > peak ? now : peak;
}

uint64_t ecgkd_port_ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * ecgkd_port_ticks_per_second + (uint64_t)now.tv_nsec;
}

void ecgkd_port_write(const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        const ssize_t went = write(output, at, n);
        if (went < 0 && errno == EINTR)
            continue;
        if (went < 0)
            give_up("output");
        at += went;
        n -= (size_t)went;
    }
}

size_t ecgkd_port_read(void *bytes, size_t n)
{
    char *at = bytes;
    size_t wanted = n;
    while (wanted > 0) {
        const ssize_t came = read(input, at, wanted);
        if (came < 0 && errno == EINTR)
            continue;
        if (came < 0)
            give_up("input");
        if (came == 0)
            break;
        at += came;
        wanted -= (size_t)came;
    }
    return n - wanted;
}

void ecgkd_port_exit(int code)
{
    exit(code);
}
