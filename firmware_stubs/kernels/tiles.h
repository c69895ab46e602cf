/* Inside the library: dot products of rows with columns, the heart of layers and matrix products on vector units. */
#ifndef ECGKD_TILES_H
#define ECGKD_TILES_H

#include "vector.h"

typedef struct {
    const int8_t *rows; /* [outputs], row_stride apart, 16 * blocks bytes each */
    int32_t row_stride;
    const int32_t *bias;       /* [outputs], or NULL */
    const int32_t *multiplier; /* [outputs], or one where `uniform` */
    const int8_t *shift;       /* likewise */
    const int32_t *more;       /* NULL, or added to all outputs of a column [columns] */
    int32_t outputs, blocks;
    int32_t uniform;
    int32_t full;  /* 0: no row holds -128 */
    int32_t quick; /* every shift is below 0, sums within 2^30 */
    int32_t zero_point, low, high;
} ecgkd_tiles_t;

/* out[n * out_stride + o] = rescale(bias[o] + more[n] + row o * column n), columns x_stride bytes apart. */
void ecgkd_tiles(const ecgkd_tiles_t *tiles, const int8_t *x, int32_t x_stride, int32_t columns, int8_t *out,
                 int32_t out_stride);

#endif
