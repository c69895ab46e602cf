/* ecgkd_port.h on Linux, and what only Linux has. */
#ifndef ECGKD_LINUX_H
#define ECGKD_LINUX_H

#include <stdint.h>

/* Take a file instead of standard input or output; the program ends with 5 where it cannot be opened. */
void linux_read_from(const char *path);
void linux_write_to(const char *path);

/* The most memory this process has had resident, in bytes, as the kernel tells. */
uint64_t linux_peak_memory(void);

#endif
