#include "target.h"

#if defined(ECGKD_VECTOR)

#include "requantise.h"
#include "vector.h"

/* sums [inner] of in [count, inner]. */
static void over_steps(const int8_t *in, int32_t count, int32_t inner, int32_t *sums)
{
    int32_t c = 0;
    for (; c + ECGKD_BLOCK <= inner; c += ECGKD_BLOCK) {
        ecgkd_block_t sum = ecgkd_load(in + c);
        for (int32_t t = 1; t < count; t++) {
            const ecgkd_block_t next = ecgkd_load(in + t * inner + c);
            ECGKD_UNROLL
            for (int i = 0; i < ECGKD_VECTORS; i++) {
                sum.v[i] = vaddq_s32(sum.v[i], next.v[i]);
            }
        }
        ECGKD_UNROLL
        for (int i = 0; i < ECGKD_VECTORS; i++) {
            vst1q_s32(sums + c + 4 * i, sum.v[i]);
        }
    }
    for (; c < inner; c++) {
        sums[c] = 0;
        for (int32_t t = 0; t < count; t++) {
            sums[c] += in[t * inner + c];
        }
    }
}

void ecgkd_mean_s8(const ecgkd_mean_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    int32_t *sums = scratch;
    const int32_t zero = op->in_zero_point * op->count;
    for (int32_t o = 0; o < op->outer; o++, in += op->count * op->inner) {
        if (op->inner == 1) {
            sums[0] = ecgkd_dot(in, NULL, op->count);
        } else {
            over_steps(in, op->count, op->inner, sums);
        }
        for (int32_t c = 0; c < op->inner; c++) {
            *out++ = ecgkd_rescale(sums[c] - zero, op->multiplier, op->shift, op->out_zero_point, op->low, op->high);
        }
    }
}

#endif
