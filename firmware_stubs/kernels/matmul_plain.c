#include "target.h"

#if defined(ECGKD_PLAIN)

#include "ecgkd_nn.h"
#include "requantise.h"

void ecgkd_matmul_s8(const ecgkd_matmul_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    (void)scratch;
    const int32_t to_column = op->transpose_b ? op->b_row : 1, to_inner = op->transpose_b ? 1 : op->b_row;
    for (int32_t n = 0; n < op->batch; n++) {
        for (int32_t i = 0; i < op->rows; i++) {
            const int8_t *left = a + n * op->a_batch + i * op->a_row;
            for (int32_t j = 0; j < op->columns; j++) {
                const int8_t *right = b + n * op->b_batch + j * to_column;
                int32_t sum = 0;
                for (int32_t k = 0; k < op->inner; k++) {
                    sum += (left[k] - op->a_zero_point) * (right[k * to_inner] - op->b_zero_point);
                }
                out[n * op->out_batch + i * op->out_row + j] =
                    ecgkd_rescale(sum, op->multiplier, op->shift, op->out_zero_point, op->low, op->high);
            }
        }
    }
}

#endif
