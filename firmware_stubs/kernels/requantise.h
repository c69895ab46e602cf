/* The one home of rounding: what every kernel and every instruction set must give, in plain C99. */
#ifndef ECGKD_REQUANTISE_H
#define ECGKD_REQUANTISE_H

#include <stdint.h>

/* a * b / 2^31, halves upwards; not for both -2^31. Right shifts of negative numbers keep their sign everywhere here. */
static inline int32_t ecgkd_high_multiply(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^right, halves away from zero; right 0..31. */
static inline int32_t ecgkd_rounding_shift(int32_t x, int32_t right)
{
    const int64_t half = ((int64_t)1 << right) >> 1;
    const int64_t down = right > 0 && x < 0 ? 1 : 0;
    return (int32_t)((x + half - down) >> right);
}

/* x * 2^left held within 32 bits; left 1..31. */
static inline int32_t ecgkd_saturating_shift(int32_t x, int32_t left)
{
    const int32_t most = INT32_MAX >> left;
    if (x > most) {
        return INT32_MAX;
    }
    if (x < -most) {
        return INT32_MIN;
    }
    return (int32_t)((uint32_t)x << left);
}

/* x * multiplier * 2^(shift - 31), rounded twice; shift -31..31. */
static inline int32_t ecgkd_scale(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    return ecgkd_rounding_shift(ecgkd_high_multiply((int32_t)((uint32_t)x << left), multiplier), left - shift);
}

/* The same for |x| < 2^30 and right = -shift in 1..31; half = 2^(right - 1). */
static inline int32_t ecgkd_quick_scale(int32_t x, int32_t multiplier, int32_t half, int32_t right)
{
#if defined(__ARM_FEATURE_DSP) && defined(__thumb2__) && defined(__GNUC__)
    int32_t value;
    __asm__("smmulr %0, %1, %2" : "=r"(value) : "r"(x * 2), "r"(multiplier));
#else
    const int32_t value = ecgkd_high_multiply(x, multiplier);
#endif
    return (value + (value >> 31) + half) >> right;
}

static inline int32_t ecgkd_clamp(int32_t x, int32_t low, int32_t high)
{
    return x < low ? low : x > high ? high : x;
}

static inline int8_t ecgkd_rescale(int32_t x, int32_t multiplier, int32_t shift, int32_t zero_point, int32_t low,
                                   int32_t high)
{
    return (int8_t)ecgkd_clamp(ecgkd_scale(x, multiplier, shift) + zero_point, low, high);
}

/* Zeros above the highest one of x > 0. */
static inline int32_t ecgkd_leading_zeros(uint32_t x)
{
#if defined(__GNUC__)
    return __builtin_clz(x);
#else
    int32_t count = 0;
    for (; x < (uint32_t)1 << 31; x <<= 1) {
        count++;
    }
    return count;
#endif
}

#endif
