/* What a board has to supply to run the runner and the tests: four functions. The engine itself needs none of them. */
#ifndef ECGKD_PORT_H
#define ECGKD_PORT_H

#include <stddef.h>
#include <stdint.h>

/* Time since an arbitrary start, in units of 1 / ecgkd_port_ticks_per_second s; never runs backwards. */
uint64_t ecgkd_port_ticks(void);
extern const uint32_t ecgkd_port_ticks_per_second;

/* Sends n bytes to whoever listens (standard output, a UART, semihosting). A port that cannot ends the program. */
void ecgkd_port_write(const void *bytes, size_t n);

/* Receives up to n bytes; returns how many came, fewer than n only at the end of the input. */
size_t ecgkd_port_read(void *bytes, size_t n);

/* Ends the program; 0 is success. Does not return. */
void ecgkd_port_exit(int code);

#endif
