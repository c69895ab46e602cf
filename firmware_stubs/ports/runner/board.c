/* main() of a board without arguments: the input's first line is the command, what it reads follows.
 *
 *   info
 *   run                 windows, one after the other; their outputs come back
 *   bench WARM_UP RUNS  one window */
#include "runner.h"

#include <string.h>

#ifdef RUNNER_STACK
uint64_t RUNNER_STACK(void);
static const runner_memory_t memory = { "stack_bytes", RUNNER_STACK };
#else
static const runner_memory_t memory = { NULL, NULL };
#endif

/* Reads the number at *text and moves on behind it; 0 where there is none. */
static uint32_t number(const char **text)
{
    uint32_t value = 0;
    while (**text == ' ')
        (*text)++;
    for (; **text >= '0' && **text <= '9' && value < 100000000u; (*text)++)
        value = 10 * value + (uint32_t)(**text - '0');
    return value;
}

int main(void)
{
    char line[40] = { 0 };
    const char *rest = line;
    for (size_t n = 0; n < sizeof line - 1 && ecgkd_port_read(line + n, 1) == 1 && line[n] != '\n'; n++)
        continue;
    if (strncmp(line, "info", 4) == 0)
        return runner_info(memory);
    if (strncmp(line, "run", 3) == 0)
        return runner_run();
    if (strncmp(line, "bench", 5) == 0) {
        uint32_t warm_up;
        rest += 5;
        warm_up = number(&rest);
        return runner_bench(warm_up, number(&rest), memory);
    }
    return 2;
}
