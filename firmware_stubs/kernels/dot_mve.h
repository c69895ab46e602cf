/* Inside the library: the assembler code of tiles for Helium. */
#ifndef ECGKD_DOT_MVE_H
#define ECGKD_DOT_MVE_H

#include <stdint.h>

/* Two rows against pairs of columns, from bias to bytes; the assembler code knows the places of the fields. */
typedef struct {
    const int8_t *a, *b, *x, *y;
    int32_t count;     /* of blocks, or of two blocks */
    int32_t back, on;  /* bytes from the end of a row to its start, and from the end of a column to the next but one */
    int8_t *out;
    int32_t pairs;     /* of columns, 1.. */
    int32_t step;      /* bytes from a pair's output to the next one's */
    int32_t zero_point;
    int32_t unused;    /* vectors lie at 48 */
    int32_t bias[4], multiplier[4], shift[4], places[4];
} ecgkd_mve_job_t;

/* Shifts are below 0, limits those of int8. */
void ecgkd_mve_run(const ecgkd_mve_job_t *job);

/* The same; `count` counts two blocks of 16 bytes. */
void ecgkd_mve_run_twos(const ecgkd_mve_job_t *job);

#endif
