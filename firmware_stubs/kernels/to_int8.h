/* Inside the library: the last steps of a single value, rescaling, zero point and limits, with as few instructions as
 * the rule of requantise.h lets them be. */
#ifndef ECGKD_TO_INT8_H
#define ECGKD_TO_INT8_H

#include "requantise.h"
#include "target.h"

typedef struct {
    int32_t multiplier, right;
    int32_t offset; /* half a step, and the zero point, before the shift to the right */
    int32_t low, high;
} ecgkd_to_int8_t;

enum { ECGKD_TO_INT8_MOST_RIGHT = 22 };

/* Whether ecgkd_to_int8 can do it: |x| < 2^29, and the shift is to the right, by so little that offset fits. */
static inline int ecgkd_fits_to_int8(int32_t shift)
{
    return shift < 0 && shift >= -ECGKD_TO_INT8_MOST_RIGHT;
}

static inline ecgkd_to_int8_t ecgkd_to_int8_of(int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low,
                                               int32_t high)
{
    const int32_t one = (int32_t)1 << -shift;
    const ecgkd_to_int8_t to = {multiplier, -shift, one / 2 + zero_point * one, low, high};
    return to;
}

/* `twice` is 2 x. `limited` is a constant: 0 where low and high are int8's own. */
static inline int8_t ecgkd_to_int8(const ecgkd_to_int8_t *to, int32_t twice, int limited)
{
    const int32_t offset = to->offset + (twice >> 31); /* halves away from zero; a negative x that becomes 0 stays 0 */
#if defined(ECGKD_DSP)
    int32_t value;
    __asm__("smmlar %0, %1, %2, %3" : "=r"(value) : "r"(twice), "r"(to->multiplier), "r"(offset));
    value >>= to->right;
    __asm__("ssat %0, #8, %1" : "=r"(value) : "r"(value));
#else
    const int32_t scaled = (ecgkd_high_multiply(twice >> 1, to->multiplier) + offset) >> to->right;
    const int32_t value = ecgkd_clamp(scaled, -128, 127);
#endif
    return (int8_t)(limited ? ecgkd_clamp(value, to->low, to->high) : value);
}

static inline int ecgkd_is_limited(const ecgkd_to_int8_t *to)
{
    return to->low > -128 || to->high < 127;
}

#endif
