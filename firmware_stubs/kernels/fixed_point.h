/* Reciprocal and inverse square root in fixed point, as gemmlowp and TFLite compute them. */
#ifndef ECGKD_FIXED_POINT_H
#define ECGKD_FIXED_POINT_H

#include "requantise.h"

/* 1 / (1 + a) as Q0.31 for a in [0, 1) as Q0.31: three Newton steps.
 * Source: gemmlowp one_over_one_plus_x_for_x_in_0_1. */
static inline int32_t ecgkd_one_over_one_plus(int32_t a)
{
    const int32_t half_denominator = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1);
    int32_t x = 1515870810 + ecgkd_high_multiply(half_denominator, -1010580540); /* 48/17 - 32/17 d, Q2.29 */
    for (int step = 0; step < 3; step++) {
        const int32_t error = ((int32_t)1 << 29) - ecgkd_high_multiply(half_denominator, x);
        x += ecgkd_saturating_shift(ecgkd_high_multiply(x, error), 2);
    }
    return ecgkd_saturating_shift(x, 1);
}

/* Returns m and writes s: 1 / sqrt(x) = m * 2^(s - 31) for x in [0, 2^31), s <= 0; 0 counts as 1.
 * Source: TFLite GetInvSqrtQuantizedMultiplierExp, five Newton steps. */
static inline int32_t ecgkd_inverse_square_root(int32_t x, int32_t *shift)
{
    if (x <= 1) {
        *shift = 0;
        return INT32_MAX;
    }
    int32_t right = 11;
    while (x >= (int32_t)1 << 29) {
        x /= 4;
        right++;
    }
    const int32_t pairs = (ecgkd_leading_zeros((uint32_t)x) - 1) / 2 - 1;
    right -= pairs;
    const int32_t half_input = ecgkd_rounding_shift((x << (2 * pairs)) >> 1, 1);
    int32_t root = (int32_t)1 << 28;
    for (int step = 0; step < 5; step++) {
        const int32_t cube = ecgkd_saturating_shift(ecgkd_high_multiply(ecgkd_high_multiply(root, root), root), 6);
        root = ecgkd_saturating_shift(ecgkd_high_multiply(root, 3 << 27) - ecgkd_high_multiply(half_input, cube), 3);
    }
    root = ecgkd_high_multiply(root, 1518500250); /* sqrt(2) / 2 */
    if (right < 0) {
        root = (int32_t)((uint32_t)root << -right);
        right = 0;
    }
    *shift = -right;
    return root;
}

#endif
