#include "target.h"

#if defined(ECGKD_SCALAR)

#include <string.h>

#include "ecgkd_nn.h"
#include "requantise.h"

#if defined(ECGKD_DSP)
enum { STEPS = 255 }; /* of int8 whose sum is within int16 */

/* Adds `count` steps of four neighbouring columns to sums[4]. */
static void add_four(const int8_t *in, int32_t count, int32_t stride, int32_t *sums)
{
    while (count > 0) {
        uint32_t even = 0, odd = 0, bytes;
        const int32_t steps = count < STEPS ? count : STEPS;
        for (int32_t t = 0; t < steps; t++, in += stride) {
            memcpy(&bytes, in, sizeof bytes);
            __asm__("sxtab16 %0, %0, %1" : "+r"(even) : "r"(bytes));
            __asm__("sxtab16 %0, %0, %1, ror #8" : "+r"(odd) : "r"(bytes));
        }
        sums[0] += (int16_t)even;
        sums[1] += (int16_t)odd;
        sums[2] += (int32_t)even >> 16;
        sums[3] += (int32_t)odd >> 16;
        count -= steps;
    }
}
#endif

void ecgkd_mean_s8(const ecgkd_mean_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t inner = op->inner, start = -op->in_zero_point * op->count;
    (void)scratch;
    for (int32_t o = 0; o < op->outer; o++, in += op->count * inner) {
        int32_t c = 0;
#if defined(ECGKD_DSP)
        for (; c + 4 <= inner; c += 4) {
            int32_t sums[4] = {start, start, start, start};
            add_four(in + c, op->count, inner, sums);
            for (int32_t i = 0; i < 4; i++) {
                *out++ = ecgkd_rescale(sums[i], op->multiplier, op->shift, op->out_zero_point, op->low, op->high);
            }
        }
#endif
        for (; c < inner; c++) {
            int32_t sum = start;
            for (int32_t t = 0; t < op->count; t++) {
                sum += in[t * inner + c];
            }
            *out++ = ecgkd_rescale(sum, op->multiplier, op->shift, op->out_zero_point, op->low, op->high);
        }
    }
}

#endif
