/* The static ARM Linux runner: one file that needs nothing on the device.
 *
 *   RUNNER info
 *   RUNNER run [WINDOWS [OUTPUTS]]               int8 windows one after the other, files or standard input and output
 *   RUNNER bench [WARM_UP [RUNS [WINDOWS]]]      one window, 20 warm-up runs and 100 runs if not told; one JSON line
 *
 * Ticks are ns of CLOCK_MONOTONIC. Exit code: 0, 2 usage, 5 input or output, 70 a network that does not fit. */
#include "linux.h"
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
    fputs("usage: RUNNER info | run [WINDOWS [OUTPUTS]] | bench [WARM_UP [RUNS [WINDOWS]]]\n", stderr);
    return 2;
}

/* A decimal number of 0..max, or -1. */
static long number(const char *text, long max)
{
    char *end;
    const long value = strtol(text, &end, 10);
    return *text == 0 || *end != 0 || value < 0 || value > max ? -1 : value;
}

static int bench(int argc, char **argv)
{
    const runner_memory_t memory = { "peak_memory_bytes", linux_peak_memory };
    const long warm_up = argc > 0 ? number(argv[0], 1000000) : 20;
    const long runs = argc > 1 ? number(argv[1], RUNNER_MAX_RUNS) : 100;
    if (warm_up < 0 || runs < 1 || argc > 3)
        return usage();
    if (argc > 2)
        linux_read_from(argv[2]);
    return runner_bench((uint32_t)warm_up, (uint32_t)runs, memory);
}

int main(int argc, char **argv)
{
    const runner_memory_t memory = { "peak_memory_bytes", linux_peak_memory };
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "info") == 0 && argc == 2)
        return runner_info(memory);
    if (strcmp(command, "bench") == 0)
        return bench(argc - 2, argv + 2);
    if (strcmp(command, "run") != 0 || argc > 4)
        return usage();
    if (argc > 2)
        linux_read_from(argv[2]);
    if (argc > 3)
        linux_write_to(argv[3]);
    return runner_run();
}
