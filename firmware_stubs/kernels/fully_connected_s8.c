#include "columns.h"

#if !defined(ECGKD_DSP)

#include <string.h>

void ecgkd_fully_connected_s8(const ecgkd_fully_connected_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t depth = op->layer.depth, padded = ECGKD_PADDED(depth);
    if (padded == depth) {
        ecgkd_columns_s8(&op->layer, in, op->in_stride, op->rows, out, op->out_stride);
        return;
    }
    int8_t *part = scratch;
    for (int32_t row = 0; row < op->rows; row += op->chunk) {
        const int32_t count = op->rows - row < op->chunk ? op->rows - row : op->chunk;
        for (int32_t n = 0; n < count; n++) {
            memcpy(part + n * padded, in + (row + n) * op->in_stride, (size_t)depth);
            memset(part + n * padded + depth, 0, (size_t)(padded - depth));
        }
        ecgkd_columns_s8(&op->layer, part, padded, count, out + row * op->out_stride, op->out_stride);
    }
}

#endif
