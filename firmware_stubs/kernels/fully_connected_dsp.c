#include "target.h"

#if defined(ECGKD_DSP)

#include "dsp.h"

void ecgkd_fully_connected_s8(const ecgkd_fully_connected_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t depth = op->layer.depth, padded = ECGKD_PADDED(depth);
    int32_t *pair = scratch, *x = pair + padded;
    for (int32_t row = 0; row < op->rows; row += op->chunk) {
        const int32_t count = op->rows - row < op->chunk ? op->rows - row : op->chunk;
        for (int32_t n = 0; n < count; n++) {
            ecgkd_dsp_unpack_padded(in + (row + n) * op->in_stride, x + n * (padded / 2), depth, padded);
        }
        ecgkd_dsp_columns(&op->layer, x, padded / 2, count, out + row * op->out_stride, op->out_stride, pair);
    }
}

#endif
