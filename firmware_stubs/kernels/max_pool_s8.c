#include "maxima.h"

void ecgkd_max_pool_s8(const ecgkd_max_pool_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    for (int32_t t = 0; t < op->out_steps; t++) {
        int32_t first = t * op->stride - op->pad_left;
        int32_t stop = first + op->size;
        first = first > 0 ? first : 0;
        stop = stop < op->in_steps ? stop : op->in_steps;
        ecgkd_maximum_s8(in + first * op->channels, stop - first, op->channels, out);
        out += op->channels;
    }
}
