#include "target.h"

#if defined(ECGKD_VECTOR)

#include "fixed_point.h"
#include "vector.h"

void ecgkd_softmax_s8(const ecgkd_softmax_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t width = op->width;
    int32_t *power = scratch;
    for (int32_t row = 0; row < op->rows; row++, in += width, out += width) {
        const int32_t most = ecgkd_largest(in, width);
        int32x4_t total = vdupq_n_s32(0);
        int32_t c = 0;
#if defined(ECGKD_MVE)
        for (; c < width; c += 4) {
            const mve_pred16_t inside = vctp32q((uint32_t)(width - c));
            const uint32x4_t distance =
                vreinterpretq_u32_s32(vsubq_s32(vdupq_n_s32(most), vldrbq_z_s32(in + c, inside)));
            const int32x4_t values = vldrwq_gather_shifted_offset_z_s32(op->table, distance, inside);
            vst1q_s32(power + c, values);
            total = vaddq_s32(total, vrshrq_n_s32(values, 12));
        }
#else
        for (; c < width; c++) {
            power[c] = op->table[most - in[c]];
        }
        for (; c % 4 != 0; c++) {
            power[c] = 0;
        }
        for (c = 0; c < width; c += 4) {
            total = vaddq_s32(total, vrshrq_n_s32(vld1q_s32(power + c), 12));
        }
#endif
        const int32_t sum = ecgkd_sum_4(total); /* Q12.19, below 2^28 */
        const int32_t headroom = ecgkd_leading_zeros((uint32_t)sum);
        const int32_t inverse = ecgkd_one_over_one_plus((int32_t)(((uint32_t)sum << headroom) - ((uint32_t)1 << 31)));
        const int32x4_t factor = vdupq_n_s32(inverse), right = vdupq_n_s32(headroom - 35);
        for (c = 0; c < width; c += 4) {
            int32x4_t share = vrshlq_s32(vqrdmulhq_s32(vld1q_s32(power + c), factor), right);
            share = ecgkd_clamp_4(share, -128, -128, 127);
            if (c + 4 <= width) {
                ecgkd_store_4(out + c, share);
            } else {
                int8_t part[4];
                ecgkd_store_4(part, share);
                memcpy(out + c, part, (size_t)(width - c));
            }
        }
    }
}

#endif
