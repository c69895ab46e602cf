#include "target.h"

#if defined(ECGKD_NEON)

#include "vector.h"

/* How one input comes to the common scale. The input of the larger scale is always halved, which is exact: `halved`. */
typedef struct {
    int32x4_t zero, multiplier, shift; /* zero: the zero point, shifted as the values are */
    int halved, down;                  /* down: shift is below 0 */
} side_t;

typedef struct {
    side_t a, b;
    int32x4_t multiplier, shift;
    int down, minus;
    int16x8_t zero_point;
    int8x16_t low, high;
} sum_t;

static side_t side_of(int32_t zero_point, int32_t multiplier, int32_t shift)
{
    const int halved = multiplier == (int32_t)1 << 30 && shift == 0;
    const side_t side = {vdupq_n_s32(zero_point * ((int32_t)1 << (halved ? 19 : 20))), vdupq_n_s32(multiplier),
                         vdupq_n_s32(shift), halved, shift < 0};
    return side;
}

static sum_t sum_of(const ecgkd_add_t *op, int minus)
{
    const sum_t sum = {side_of(op->a_zero_point, op->a_multiplier, op->a_shift),
                       side_of(op->b_zero_point, op->b_multiplier, op->b_shift),
                       vdupq_n_s32(op->out_multiplier),
                       vdupq_n_s32(op->out_shift),
                       op->out_shift < 0,
                       minus,
                       vdupq_n_s16(op->out_zero_point),
                       vdupq_n_s8((int8_t)op->low),
                       vdupq_n_s8((int8_t)op->high)};
    return sum;
}

static inline int32x4_t scaled(int32x4_t x, int32x4_t multiplier, int32x4_t shift, int down)
{
    x = vqrdmulhq_s32(x, multiplier);
    return down ? vrshlq_s32(vsraq_n_s32(x, x, 31), shift) : x;
}

/* Sixteen values at the common scale. */
static inline ecgkd_block_t common(const side_t *side, int8x16_t values)
{
    const int16x8_t low = vshll_n_s8(vget_low_s8(values), 7), high = vshll_n_s8(vget_high_s8(values), 7);
    ecgkd_block_t block;
    if (side->halved) {
        block.v[0] = vsubq_s32(vshll_n_s16(vget_low_s16(low), 12), side->zero);
        block.v[1] = vsubq_s32(vshll_n_s16(vget_high_s16(low), 12), side->zero);
        block.v[2] = vsubq_s32(vshll_n_s16(vget_low_s16(high), 12), side->zero);
        block.v[3] = vsubq_s32(vshll_n_s16(vget_high_s16(high), 12), side->zero);
        return block;
    }
    block.v[0] = vsubq_s32(vshll_n_s16(vget_low_s16(low), 13), side->zero);
    block.v[1] = vsubq_s32(vshll_n_s16(vget_high_s16(low), 13), side->zero);
    block.v[2] = vsubq_s32(vshll_n_s16(vget_low_s16(high), 13), side->zero);
    block.v[3] = vsubq_s32(vshll_n_s16(vget_high_s16(high), 13), side->zero);
    ECGKD_UNROLL
    for (int i = 0; i < 4; i++) {
        block.v[i] = scaled(block.v[i], side->multiplier, side->shift, side->down);
    }
    return block;
}

/* Held within 16 bits, the zero point added, held within 8 bits and the limits. */
static inline int8x16_t summed(const sum_t *sum, int8x16_t a, int8x16_t b)
{
    ecgkd_block_t left = common(&sum->a, a);
    const ecgkd_block_t right = common(&sum->b, b);
    ECGKD_UNROLL
    for (int i = 0; i < 4; i++) {
        left.v[i] = sum->minus ? vsubq_s32(left.v[i], right.v[i]) : vaddq_s32(left.v[i], right.v[i]);
        left.v[i] = scaled(left.v[i], sum->multiplier, sum->shift, sum->down);
    }
    const int16x8_t first = vcombine_s16(vqmovn_s32(left.v[0]), vqmovn_s32(left.v[1]));
    const int16x8_t second = vcombine_s16(vqmovn_s32(left.v[2]), vqmovn_s32(left.v[3]));
    const int8x16_t bytes = vcombine_s8(vqmovn_s16(vqaddq_s16(first, sum->zero_point)),
                                        vqmovn_s16(vqaddq_s16(second, sum->zero_point)));
    return vminq_s8(vmaxq_s8(bytes, sum->low), sum->high);
}

/* The next 16 values, or the `count` that are left. */
static inline int8x16_t take(const int8_t *in, int32_t count)
{
    int8_t part[16] = {0};
    if (count >= 16) {
        return vld1q_s8(in);
    }
    memcpy(part, in, (size_t)count);
    return vld1q_s8(part);
}

static inline void give(int8_t *out, int8x16_t values, int32_t count)
{
    int8_t part[16];
    if (count >= 16) {
        vst1q_s8(out, values);
        return;
    }
    vst1q_s8(part, values);
    memcpy(out, part, (size_t)count);
}

static inline void combine(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, int minus)
{
    const ecgkd_broadcast_t *shape = &op->shape;
    const sum_t sum = sum_of(op, minus);
    const int32_t columns = shape->columns;
    for (int32_t r = 0; r < shape->rows; r++, a += shape->a_row, b += shape->b_row, out += columns) {
        for (int32_t c = 0; c < columns; c += 16) {
            const int8x16_t left = shape->a_column != 0 ? take(a + c, columns - c) : vdupq_n_s8(*a);
            const int8x16_t right = shape->b_column != 0 ? take(b + c, columns - c) : vdupq_n_s8(*b);
            give(out + c, summed(&sum, left, right), columns - c);
        }
    }
}

void ecgkd_add_s8(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    (void)scratch;
    combine(op, a, b, out, 0);
}

void ecgkd_sub_s8(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    (void)scratch;
    combine(op, a, b, out, 1);
}

void ecgkd_carry_s8(const ecgkd_carry_t *op, const int8_t *x, const int8_t *branch, const int8_t *carry, int8_t *out,
                    int8_t *carry_out, void *scratch)
{
    const sum_t to_sum = sum_of(op->sum, 0), to_added = sum_of(op->added != NULL ? op->added : op->sum, 0);
    const sum_t to_taken = sum_of(carry_out != NULL ? op->taken : op->sum, 1);
    const sum_t to_carry = sum_of(carry_out != NULL ? op->carry : op->sum, 1);
    (void)scratch;
    for (int32_t i = 0; i < op->count; i += 16) {
        const int32_t count = op->count - i;
        const int8x16_t before = take(x + i, count);
        int8x16_t added = take(branch + i, count);
        if (op->added != NULL) {
            added = summed(&to_added, added, take(carry + i, count));
        }
        const int8x16_t after = summed(&to_sum, before, added);
        if (carry_out != NULL) {
            give(carry_out + i, summed(&to_carry, added, summed(&to_taken, after, before)), count);
        }
        give(out + i, after, count);
    }
}

#endif
