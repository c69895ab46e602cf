/* Inside the library: what convolution and fully connected layers share, one version for each instruction set. */
#ifndef ECGKD_COLUMNS_H
#define ECGKD_COLUMNS_H

#include "ecgkd_nn.h"
#include "target.h"

/* out[n * out_stride + o] = layer of the column x + n * x_stride, for every o and n < columns. Of a column
 * ECGKD_PADDED(depth) bytes may be read; those behind depth meet weights of 0. */
void ecgkd_columns_s8(const ecgkd_layer_t *layer, const int8_t *x, int32_t x_stride, int32_t columns, int8_t *out,
                      int32_t out_stride);

#endif
