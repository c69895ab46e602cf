#include "maxima.h"

void ecgkd_reduce_max_s8(const ecgkd_reduce_max_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    for (int32_t o = 0; o < op->outer; o++) {
        ecgkd_maximum_s8(in, op->count, op->inner, out);
        in += op->count * op->inner;
        out += op->inner;
    }
}
