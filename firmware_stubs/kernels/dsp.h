/* Inside the library: what the kernels for cores with the DSP extension share. */
#ifndef ECGKD_DSP_H
#define ECGKD_DSP_H

#include <string.h>

#include "ecgkd_nn.h"

/* Unpacked: four bytes become two words of 16-bit pairs, (0, 2) and (1, 3), so that weights and columns match. */
static inline void ecgkd_dsp_unpack(const int8_t *in, int32_t *out)
{
    int32_t word, even, odd;
    memcpy(&word, in, 4);
    __asm__("sxtb16 %0, %1" : "=r"(even) : "r"(word));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(odd) : "r"(word));
    out[0] = even;
    out[1] = odd;
}

/* Unpacks `count` bytes, a multiple of 4, to 2 * count bytes. */
void ecgkd_dsp_unpack_row(const int8_t *in, int32_t *out, int32_t count);

/* Unpacks `count` bytes and fills up to `padded`, multiples of 4 and 16, with 0. */
void ecgkd_dsp_unpack_padded(const int8_t *in, int32_t *out, int32_t count, int32_t padded);

/* Unpacks two rows of `count` bytes, a multiple of 16, alternating: two words of one, two of the other. */
void ecgkd_dsp_unpack_pair(const int8_t *first, const int8_t *second, int32_t *out, int32_t count);

/* sums {row 0 column 0, row 1 column 0, row 0 column 1, row 1 column 1} += dot products of a pair of rows and two
 * unpacked columns over 16 * blocks values. */
void ecgkd_dsp_dot_2x2(int32_t *sums, const int32_t *pair, const int32_t *column, const int32_t *other, int32_t blocks);

/* The same for one column: sums {row 0, row 1}. */
void ecgkd_dsp_dot_2x1(int32_t *sums, const int32_t *pair, const int32_t *column, int32_t blocks);

/* Two rows against pairs of columns, from bias to bytes; the assembler code knows the places of the fields. */
typedef struct {
    const int32_t *pair;
    const int32_t *x;
    int32_t x_stride; /* bytes */
    int32_t blocks;
    int32_t pairs; /* of columns, 1.. */
    int8_t *out;
    int32_t out_stride;
    int32_t bias[2];
    struct {
        int32_t multiplier, half, right; /* half holds the output's zero point as well: 2^(right - 1) + zero << right */
    } row[2];
    const int8_t *table; /* that of 0 */
} ecgkd_dsp_job_t;
#define ECGKD_DSP_RIGHT 22 /* zero << right stays within 2^30 */

/* Results are held within int8, |sums| < 2^30, right in 1..ECGKD_DSP_RIGHT. `job` is used up. */
void ecgkd_dsp_run(ecgkd_dsp_job_t *job);

/* The same, and every result through the table. */
void ecgkd_dsp_run_table(ecgkd_dsp_job_t *job);

/* As ecgkd_columns_s8 with unpacked columns, x_stride in words apart; `pair` has room for 4 * padded depth bytes. */
void ecgkd_dsp_columns(const ecgkd_layer_t *layer, const int32_t *x, int32_t x_stride, int32_t columns, int8_t *out,
                       int32_t out_stride, int32_t *pair);

#endif
