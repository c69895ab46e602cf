#include "target.h"

#if defined(ECGKD_VECTOR)

#include "fixed_point.h"
#include "vector.h"

static inline ecgkd_block_t normalise(ecgkd_block_t x, int32x4_t zero_point, int32x4_t inverse, int32x4_t shift)
{
    ECGKD_UNROLL
    for (int i = 0; i < ECGKD_VECTORS; i++) {
        x.v[i] = ecgkd_clamp_4(ecgkd_scale_4(vsubq_s32(x.v[i], zero_point), inverse, shift), 0, -128, 127);
    }
    return x;
}

void ecgkd_l2_norm_s8(const ecgkd_l2_norm_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    const int32_t width = op->width, zero_point = op->zero_point;
    for (int32_t row = 0; row < op->rows; row++, in += width, out += width) {
        const int32_t squares = ecgkd_dot(in, in, width), sum = zero_point != 0 ? ecgkd_dot(in, NULL, width) : 0;
        int32_t shift;
        const int32_t inverse =
            ecgkd_inverse_square_root(squares - zero_point * (2 * sum - zero_point * width), &shift);
        const int32x4_t zero = vdupq_n_s32(zero_point), by = vdupq_n_s32(inverse), places = vdupq_n_s32(shift + 7);
        int32_t c = 0;
        for (; c + ECGKD_BLOCK <= width; c += ECGKD_BLOCK) {
            ecgkd_store(out + c, normalise(ecgkd_load(in + c), zero, by, places));
        }
        if (c < width) {
            ecgkd_store_part(out + c, normalise(ecgkd_load_part(in + c, width - c), zero, by, places), width - c);
        }
    }
}

#endif
