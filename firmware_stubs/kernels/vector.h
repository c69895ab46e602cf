/* Inside the library: what Helium (MVE) and NEON share, vectors of four int32, and where they differ. */
#ifndef ECGKD_VECTOR_H
#define ECGKD_VECTOR_H

#include "ecgkd_nn.h"
#include "target.h"

#if defined(ECGKD_VECTOR)

#include <string.h>

#if defined(ECGKD_MVE)
#include <arm_mve.h>
#define ECGKD_VECTORS 1 /* int32x4 handled together */
#else
#include <arm_neon.h>
#define ECGKD_VECTORS 4
#endif
#define ECGKD_BLOCK (4 * ECGKD_VECTORS)
#define ECGKD_UNROLL _Pragma("GCC unroll 4")

typedef struct {
    int32x4_t v[ECGKD_VECTORS];
} ecgkd_block_t;

/* The next ECGKD_BLOCK bytes. */
static inline ecgkd_block_t ecgkd_load(const int8_t *in)
{
    ecgkd_block_t block;
#if defined(ECGKD_MVE)
    block.v[0] = vldrbq_s32(in);
#else
    const int8x16_t bytes = vld1q_s8(in);
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
    block.v[0] = vmovl_s16(vget_low_s16(low));
    block.v[1] = vmovl_s16(vget_high_s16(low));
    block.v[2] = vmovl_s16(vget_low_s16(high));
    block.v[3] = vmovl_s16(vget_high_s16(high));
#endif
    return block;
}

/* Values within int8. */
static inline void ecgkd_store(int8_t *out, ecgkd_block_t block)
{
#if defined(ECGKD_MVE)
    vstrbq_s32(out, block.v[0]);
#else
    const int16x8_t low = vcombine_s16(vmovn_s32(block.v[0]), vmovn_s32(block.v[1]));
    const int16x8_t high = vcombine_s16(vmovn_s32(block.v[2]), vmovn_s32(block.v[3]));
    vst1q_s8(out, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
#endif
}

/* Fewer than a block. */
static inline ecgkd_block_t ecgkd_load_part(const int8_t *in, int32_t count)
{
    int8_t part[ECGKD_BLOCK] = {0};
    memcpy(part, in, (size_t)count);
    return ecgkd_load(part);
}

static inline void ecgkd_store_part(int8_t *out, ecgkd_block_t block, int32_t count)
{
    int8_t part[ECGKD_BLOCK];
    ecgkd_store(part, block);
    memcpy(out, part, (size_t)count);
}

/* What rescales with one multiplier for all. */
typedef struct {
    int32_t multiplier, shift; /* shift below 0 */
    int32_t zero_point, low, high;
} ecgkd_by_t;

static inline int32x4_t ecgkd_finish(int32x4_t x, const ecgkd_by_t *by)
{
    x = vqrdmulhq_n_s32(x, by->multiplier);
    x = vaddq_s32(x, vshrq_n_s32(x, 31));
#if defined(ECGKD_MVE)
    x = vaddq_n_s32(vrshlq_n_s32(x, by->shift), by->zero_point);
#else
    x = vaddq_s32(vrshlq_s32(x, vdupq_n_s32(by->shift)), vdupq_n_s32(by->zero_point));
#endif
    return vminq_s32(vmaxq_s32(x, vdupq_n_s32(by->low)), vdupq_n_s32(by->high));
}

/* Four bytes, values within int8. */
static inline void ecgkd_store_4(int8_t *out, int32x4_t values)
{
#if defined(ECGKD_MVE)
    vstrbq_s32(out, values);
#else
    const int16x4_t half = vmovn_s32(values);
    const uint32_t word = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(half, half))), 0);
    memcpy(out, &word, 4);
#endif
}

/* x / 2^-right, halves away from zero; right -31..0. */
static inline int32x4_t ecgkd_rounding_shift_4(int32x4_t x, int32x4_t right)
{
    const int32x4_t down = vshrq_n_s32(vandq_s32(x, right), 31);
    return vrshlq_s32(vqaddq_s32(x, down), right);
}

/* ecgkd_scale for shifts of at most 0. */
static inline int32x4_t ecgkd_scale_down_4(int32x4_t x, int32x4_t multiplier, int32x4_t right)
{
    return ecgkd_rounding_shift_4(vqrdmulhq_s32(x, multiplier), right);
}

static inline int32x4_t ecgkd_scale_4(int32x4_t x, int32x4_t multiplier, int32x4_t shift)
{
    const int32x4_t zero = vdupq_n_s32(0);
    return ecgkd_scale_down_4(vshlq_s32(x, vmaxq_s32(shift, zero)), multiplier, vminq_s32(shift, zero));
}

static inline int32x4_t ecgkd_clamp_4(int32x4_t x, int32_t zero_point, int32_t low, int32_t high)
{
    x = vaddq_s32(x, vdupq_n_s32(zero_point));
    return vminq_s32(vmaxq_s32(x, vdupq_n_s32(low)), vdupq_n_s32(high));
}

#if defined(ECGKD_NEON)

/* sum += products of 16 pairs; `full`: both may be -128. */
static inline int32x4_t ecgkd_dot_16(int32x4_t sum, int8x16_t a, int8x16_t b, int full)
{
#if defined(__ARM_FEATURE_DOTPROD)
    (void)full;
    return vdotq_s32(sum, a, b);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
    if (full) {
        return vpadalq_s16(vpadalq_s16(sum, low), vmull_s8(vget_high_s8(a), vget_high_s8(b)));
    }
    return vpadalq_s16(sum, vmlal_s8(low, vget_high_s8(a), vget_high_s8(b))); /* within int16: 2 * 127 * 128 */
#endif
}

/* The sums of four vectors. */
static inline int32x4_t ecgkd_sums_4(int32x4_t a, int32x4_t b, int32x4_t c, int32x4_t d)
{
#if defined(__aarch64__)
    return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
#else
    const int32x2_t first = vpadd_s32(vadd_s32(vget_low_s32(a), vget_high_s32(a)),
                                      vadd_s32(vget_low_s32(b), vget_high_s32(b)));
    const int32x2_t second = vpadd_s32(vadd_s32(vget_low_s32(c), vget_high_s32(c)),
                                       vadd_s32(vget_low_s32(d), vget_high_s32(d)));
    return vcombine_s32(first, second);
#endif
}

#endif

static inline int32_t ecgkd_sum_4(int32x4_t a)
{
#if defined(ECGKD_MVE)
    return vaddvq_s32(a);
#elif defined(__aarch64__)
    return vaddvq_s32(a);
#else
    const int32x2_t half = vadd_s32(vget_low_s32(a), vget_high_s32(a));
    return vget_lane_s32(vpadd_s32(half, half), 0);
#endif
}

/* Sum over `count` products of a and b, or of a alone where b is NULL. Any values. */
static inline int32_t ecgkd_dot(const int8_t *a, const int8_t *b, int32_t count)
{
    int32_t k = 0, rest = 0;
#if defined(ECGKD_MVE)
    for (; k < count; k += 16) {
        const mve_pred16_t inside = vctp8q((uint32_t)(count - k));
        const int8x16_t left = vldrbq_z_s8(a + k, inside);
        rest = b == NULL ? vaddvaq_s8(rest, left) : vmladavaq_s8(rest, left, vldrbq_z_s8(b + k, inside));
    }
    return rest;
#else
    int32x4_t sum = vdupq_n_s32(0);
    const int8x16_t one = vdupq_n_s8(1);
    for (; k + 16 <= count; k += 16) {
        sum = ecgkd_dot_16(sum, vld1q_s8(a + k), b == NULL ? one : vld1q_s8(b + k), 1);
    }
    for (; k < count; k++) {
        rest += a[k] * (b == NULL ? 1 : b[k]);
    }
    return rest + ecgkd_sum_4(sum);
#endif
}

/* The largest of `count` bytes. */
static inline int32_t ecgkd_largest(const int8_t *in, int32_t count)
{
    int32_t most = -128, k = 0;
#if defined(ECGKD_MVE)
    for (; k < count; k += 16) {
        most = vmaxvq_p_s8((int8_t)most, vldrbq_s8(in + k), vctp8q((uint32_t)(count - k)));
    }
#else
    if (count >= 16) {
        int8x16_t all = vld1q_s8(in);
        for (k = 16; k + 16 <= count; k += 16) {
            all = vmaxq_s8(all, vld1q_s8(in + k));
        }
        all = vmaxq_s8(all, vld1q_s8(in + count - 16)); /* some a second time */
        k = count;
#if defined(__aarch64__)
        most = vmaxvq_s8(all);
#else
        int8x8_t half = vmax_s8(vget_low_s8(all), vget_high_s8(all));
        half = vpmax_s8(half, half);
        half = vpmax_s8(half, half);
        most = vget_lane_s8(vpmax_s8(half, half), 0);
#endif
    }
    for (; k < count; k++) {
        most = in[k] > most ? in[k] : most;
    }
#endif
    return most;
}

#endif
#endif
