#include "target.h"

#if defined(ECGKD_SCALAR)

#include "ecgkd_nn.h"
#include "fixed_point.h"

void ecgkd_softmax_s8(const ecgkd_softmax_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    const int32_t width = op->width;
    for (int32_t row = 0; row < op->rows; row++, in += width, out += width) {
        int32_t most = in[0];
        for (int32_t c = 1; c < width; c++) {
            most = in[c] > most ? in[c] : most;
        }
        const int32_t *table = op->table + most;
        int32_t sum = 0; /* Q12.19, below 2^28 */
        for (int32_t c = 0; c < width; c++) {
            sum += (int32_t)(((uint32_t)table[-in[c]] + (1u << 11)) >> 12);
        }
        const int32_t headroom = ecgkd_leading_zeros((uint32_t)sum);
        const int32_t inverse = ecgkd_one_over_one_plus((int32_t)(((uint32_t)sum << headroom) - ((uint32_t)1 << 31)));
        const uint32_t right = (uint32_t)(35 - headroom), half = (uint32_t)1 << (right - 1); /* right is 7 or more */
        for (int32_t c = 0; c < width; c++) {
            const int32_t product = ecgkd_high_multiply(table[-in[c]], inverse); /* 0 or more */
            const int32_t share = (int32_t)(((uint32_t)product + half) >> right);
            out[c] = (int8_t)(share < 255 ? share - 128 : 127);
        }
    }
}

#endif
