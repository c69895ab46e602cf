#include "target.h"

#if defined(ECGKD_MVE)

#include "requantise.h"
#include "vector.h"

/* An input has 256 values: what each becomes after its own rescaling is gathered from a table of the op. */
enum { VALUES = 256, TABLE = 2 * VALUES };

/* table[x + 128] = (x - zero point) * 2^20 rescaled, or minus it. */
static void fill(int32_t *table, int32_t zero_point, int32_t multiplier, int32_t shift, int minus)
{
    const int32x4_t factor = vdupq_n_s32(multiplier), right = vdupq_n_s32(shift);
    int32x4_t x = vaddq_n_s32(vreinterpretq_s32_u32(vidupq_n_u32(0, 1)), -128 - zero_point);
    for (int32_t i = 0; i < VALUES; i += 4) {
        const int32x4_t scaled = ecgkd_scale_down_4(vshlq_n_s32(x, 20), factor, right);
        vst1q_s32(table + i, minus ? vnegq_s32(scaled) : scaled);
        x = vaddq_n_s32(x, 4);
    }
}

/* The table of value 0 of both inputs; that of b lies VALUES behind. */
static const int32_t *tables(const ecgkd_add_t *op, int32_t *at, int minus)
{
    fill(at, op->a_zero_point, op->a_multiplier, op->a_shift, 0);
    fill(at + VALUES, op->b_zero_point, op->b_multiplier, op->b_shift, minus);
    return at + 128;
}

static inline ecgkd_by_t by_of(const ecgkd_add_t *op)
{
    const ecgkd_by_t by = {op->out_multiplier, op->out_shift, op->out_zero_point, op->low, op->high};
    return by;
}

/* Offsets of negative values wrap around, as addresses do. */
static inline int32x4_t look_up(const int32_t *table, int32x4_t x)
{
    return vldrwq_gather_shifted_offset_s32(table, vreinterpretq_u32_s32(x));
}

static inline int32x4_t look_up_both(const int32_t *table, int32x4_t a, int32x4_t b)
{
    return vaddq_s32(look_up(table, a), look_up(table + VALUES, b));
}

static int8_t one(const ecgkd_add_t *op, int32_t a, int32_t b, int32_t sign)
{
    const int32_t left = ecgkd_scale((a - op->a_zero_point) * (1 << 20), op->a_multiplier, op->a_shift);
    const int32_t right = ecgkd_scale((b - op->b_zero_point) * (1 << 20), op->b_multiplier, op->b_shift);
    return ecgkd_rescale(left + sign * right, op->out_multiplier, op->out_shift, op->out_zero_point, op->low, op->high);
}

/* Columns are the same for both, or one value of b for all of them. */
static void row(const ecgkd_by_t *rescaled, const int32_t *table, const int8_t *a, const int8_t *b, int32_t b_step,
                int8_t *out, int32_t count)
{
    const ecgkd_by_t by = *rescaled;
    const int32x4_t same = look_up(table + VALUES, vdupq_n_s32(*b));
    if (b_step != 0) {
        for (; count >= 4; count -= 4, a += 4, b += 4, out += 4) {
            vstrbq_s32(out, ecgkd_finish(look_up_both(table, vldrbq_s32(a), vldrbq_s32(b)), &by));
        }
    }
    for (; count > 0; count -= 4, a += 4, b += 4, out += 4) {
        const mve_pred16_t inside = vctp32q((uint32_t)count);
        const int32x4_t other = b_step != 0 ? look_up(table + VALUES, vldrbq_z_s32(b, inside)) : same;
        const int32x4_t sum = vaddq_s32(look_up(table, vldrbq_z_s32(a, inside)), other);
        vstrbq_p_s32(out, ecgkd_finish(sum, &by), inside);
    }
}

static void combine(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, int32_t *scratch, int minus)
{
    const ecgkd_broadcast_t *shape = &op->shape;
    const int32_t columns = shape->columns;
    if (op->out_shift == 0 || shape->rows * columns < 64 || shape->a_column == 0) {
        for (int32_t r = 0; r < shape->rows; r++, a += shape->a_row, b += shape->b_row) {
            for (int32_t c = 0; c < columns; c++) {
                *out++ = one(op, a[c * shape->a_column], b[c * shape->b_column], minus ? -1 : 1);
            }
        }
        return;
    }
    const int32_t *table = tables(op, scratch, minus);
    const ecgkd_by_t by = by_of(op);
    for (int32_t r = 0; r < shape->rows; r++, a += shape->a_row, b += shape->b_row, out += columns) {
        row(&by, table, a, b, shape->b_column, out, columns);
    }
}

void ecgkd_add_s8(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    combine(op, a, b, out, scratch, 0);
}

void ecgkd_sub_s8(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    combine(op, a, b, out, scratch, 1);
}

static void carry_one_by_one(const ecgkd_carry_t *op, const int8_t *x, const int8_t *branch, const int8_t *carry,
                             int8_t *out, int8_t *carry_out)
{
    for (int32_t i = 0; i < op->count; i++) {
        const int32_t before = x[i];
        const int32_t added = op->added != NULL ? one(op->added, branch[i], carry[i], 1) : branch[i];
        const int32_t sum = one(op->sum, before, added, 1);
        if (carry_out != NULL) {
            carry_out[i] = one(op->carry, added, one(op->taken, sum, before, -1), -1);
        }
        out[i] = (int8_t)sum;
    }
}

void ecgkd_carry_s8(const ecgkd_carry_t *op, const int8_t *x, const int8_t *branch, const int8_t *carry, int8_t *out,
                    int8_t *carry_out, void *scratch)
{
    const int with_carry = op->added != NULL, hands_on = carry_out != NULL;
    if (op->sum->out_shift == 0 || (with_carry && op->added->out_shift == 0) ||
        (hands_on && (op->taken->out_shift == 0 || op->carry->out_shift == 0))) {
        carry_one_by_one(op, x, branch, carry, out, carry_out);
        return;
    }
    int32_t *at = scratch;
    const ecgkd_by_t by_added = by_of(with_carry ? op->added : op->sum), by_sum = by_of(op->sum);
    const ecgkd_by_t by_taken = by_of(hands_on ? op->taken : op->sum), by_carry = by_of(hands_on ? op->carry : op->sum);
    const int32_t *of_sum = tables(op->sum, at, 0);
    const int32_t *of_added = with_carry ? tables(op->added, at + TABLE, 0) : NULL;
    const int32_t *of_taken = hands_on ? tables(op->taken, at + 2 * TABLE, 1) : NULL;
    const int32_t *of_carry = hands_on ? tables(op->carry, at + 3 * TABLE, 1) : NULL;
    for (int32_t i = 0; i < op->count; i += 4) {
        const mve_pred16_t inside = vctp32q((uint32_t)(op->count - i));
        const int32x4_t before = vldrbq_z_s32(x + i, inside);
        int32x4_t added = vldrbq_z_s32(branch + i, inside);
        if (with_carry) {
            added = ecgkd_finish(look_up_both(of_added, added, vldrbq_z_s32(carry + i, inside)), &by_added);
        }
        const int32x4_t sum = ecgkd_finish(look_up_both(of_sum, before, added), &by_sum);
        if (hands_on) {
            const int32x4_t taken = ecgkd_finish(look_up_both(of_taken, sum, before), &by_taken);
            vstrbq_p_s32(carry_out + i, ecgkd_finish(look_up_both(of_carry, added, taken), &by_carry), inside);
        }
        vstrbq_p_s32(out + i, sum, inside);
    }
}

#endif
