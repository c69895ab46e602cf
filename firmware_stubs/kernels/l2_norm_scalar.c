#include "target.h"

#if defined(ECGKD_SCALAR)

#include "ecgkd_nn.h"
#include "fixed_point.h"
#include "to_int8.h"

void ecgkd_l2_norm_s8(const ecgkd_l2_norm_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    const int32_t width = op->width, zero_point = op->zero_point;
    for (int32_t row = 0; row < op->rows; row++, in += width, out += width) {
        int32_t sum = 0;
        for (int32_t c = 0; c < width; c++) {
            sum += (in[c] - zero_point) * (in[c] - zero_point);
        }
        int32_t shift;
        const int32_t inverse = ecgkd_inverse_square_root(sum, &shift);
        if (!ecgkd_fits_to_int8(shift + 7)) {
            for (int32_t c = 0; c < width; c++) {
                out[c] = ecgkd_rescale(in[c] - zero_point, inverse, shift + 7, 0, -128, 127);
            }
            continue;
        }
        const ecgkd_to_int8_t to = ecgkd_to_int8_of(inverse, shift + 7, 0, -128, 127);
        for (int32_t c = 0; c < width; c++) {
            out[c] = ecgkd_to_int8(&to, 2 * (in[c] - zero_point), 0);
        }
    }
}

#endif
