/* Runs the one network that it is linked with: what a board's or a Linux program's main() calls. Input and output are
 * the port's read and write. Build with -DRUNNER_HEADER='"NETWORK.h"', -DRUNNER_MODEL=its ecgkd_model_t, and
 * -DRUNNER_ARENA=its arena's bytes. */
#ifndef ECGKD_RUNNER_H
#define ECGKD_RUNNER_H

#include "ecgkd_port.h"

#include <stdint.h>

/* What else this port knows about memory, a key and a value of the JSON line; key NULL: nothing. */
typedef struct {
    const char *key;
    uint64_t (*bytes)(void);
} runner_memory_t;

/* Writes one JSON line about the network and this build. Returns 0. */
int runner_info(runner_memory_t memory);

/* Windows in, each one's embedding and activity out, until the input ends. Returns 0, or 5 where the input ends inside a window. */
int runner_run(void);

/* Reads one window, runs it warm_up times and then `runs` (1..RUNNER_MAX_RUNS) times, writes one JSON line with every
 * run's ticks. Returns 0, or 2 or 5. */
int runner_bench(uint32_t warm_up, uint32_t runs, runner_memory_t memory);

#ifndef RUNNER_MAX_RUNS
#define RUNNER_MAX_RUNS 64
#endif

void ecgkd_mark_begin(void);
void ecgkd_mark_end(void);

#endif
