#include "target.h"

#if defined(ECGKD_SCALAR)

#include "ecgkd_nn.h"
#include "to_int8.h"

/* An input has 256 values: what each becomes after its own rescaling is looked up, where there are enough elements. */
enum { VALUES = 256, WORTH_TABLES = 64, BLOCK = 128 };

typedef struct {
    const int32_t *a, *b; /* [256], twice the rescaled value, that of 0 first */
    ecgkd_to_int8_t to;
} sums_t;

static inline int32_t scaled(int32_t x, int32_t zero_point, int32_t multiplier, int32_t shift)
{
    return ecgkd_scale((x - zero_point) * (1 << 20), multiplier, shift);
}

/* One element; sign is 1 for the sum, -1 for the difference. */
static int8_t one(const ecgkd_add_t *op, int32_t a, int32_t b, int32_t sign)
{
    const int32_t left = scaled(a, op->a_zero_point, op->a_multiplier, op->a_shift);
    const int32_t right = scaled(b, op->b_zero_point, op->b_multiplier, op->b_shift);
    return ecgkd_rescale(left + sign * right, op->out_multiplier, op->out_shift, op->out_zero_point, op->low, op->high);
}

static void fill(int32_t *table, int32_t zero_point, int32_t multiplier, int32_t shift, int32_t sign)
{
    const int32_t twice = 2 * sign;
    if (shift < 0) {
        const int32_t half = (int32_t)1 << (-shift - 1);
        for (int32_t i = 0; i < VALUES; i++) {
            table[i] = twice * ecgkd_quick_scale((i - 128 - zero_point) * (1 << 20), multiplier, half, -shift);
        }
    } else {
        for (int32_t i = 0; i < VALUES; i++) {
            table[i] = twice * ecgkd_high_multiply((i - 128 - zero_point) * (1 << 20), multiplier);
        }
    }
}

/* Fills the two tables of an operator, 2 KB, whose out_shift fits ecgkd_to_int8. */
static sums_t prepared(const ecgkd_add_t *op, int32_t *tables, int32_t sign)
{
    const sums_t sums = {tables + 128, tables + VALUES + 128,
                         ecgkd_to_int8_of(op->out_multiplier, op->out_shift, op->out_zero_point, op->low, op->high)};
    fill(tables, op->a_zero_point, op->a_multiplier, op->a_shift, 1);
    fill(tables + VALUES, op->b_zero_point, op->b_multiplier, op->b_shift, sign);
    return sums;
}

/* Both inputs walk on; `out` may be one of them. Two at a time. */
static inline void pairs(const sums_t *sums, const int8_t *a, const int8_t *b, int8_t *out, int32_t count, int limited)
{
    const ecgkd_to_int8_t to = sums->to;
    const int32_t *left = sums->a, *right = sums->b;
    for (const int8_t *end = out + (count & ~1); out < end; a += 2, b += 2, out += 2) {
        const int32_t first = left[a[0]] + right[b[0]], second = left[a[1]] + right[b[1]];
        out[0] = ecgkd_to_int8(&to, first, limited);
        out[1] = ecgkd_to_int8(&to, second, limited);
    }
    if (count & 1) {
        *out = ecgkd_to_int8(&to, left[*a] + right[*b], limited);
    }
}

static void combine(const sums_t *sums, const int8_t *a, const int8_t *b, int8_t *out, int32_t count)
{
    if (ecgkd_is_limited(&sums->to)) {
        pairs(sums, a, b, out, count, 1);
    } else {
        pairs(sums, a, b, out, count, 0);
    }
}

/* One of the inputs, or both, is one value for all columns. */
static void combine_broadcast(const sums_t *sums, const ecgkd_broadcast_t *shape, const int8_t *a, const int8_t *b,
                              int8_t *out)
{
    for (int32_t c = 0; c < shape->columns; c++) {
        const int32_t twice = sums->a[a[c * shape->a_column]] + sums->b[b[c * shape->b_column]];
        out[c] = ecgkd_to_int8(&sums->to, twice, 1);
    }
}

static void sum_or_difference(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, int32_t *tables,
                              int32_t sign)
{
    const ecgkd_broadcast_t *shape = &op->shape;
    const int32_t columns = shape->columns;
    if (ecgkd_fits_to_int8(op->out_shift) && shape->rows * columns >= WORTH_TABLES) {
        const sums_t sums = prepared(op, tables, sign);
        for (int32_t r = 0; r < shape->rows; r++, a += shape->a_row, b += shape->b_row, out += columns) {
            if (shape->a_column != 0 && shape->b_column != 0) {
                combine(&sums, a, b, out, columns);
            } else {
                combine_broadcast(&sums, shape, a, b, out);
            }
        }
        return;
    }
    for (int32_t r = 0; r < shape->rows; r++, a += shape->a_row, b += shape->b_row) {
        for (int32_t c = 0; c < columns; c++) {
            *out++ = one(op, a[c * shape->a_column], b[c * shape->b_column], sign);
        }
    }
}

void ecgkd_add_s8(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    sum_or_difference(op, a, b, out, scratch, 1);
}

void ecgkd_sub_s8(const ecgkd_add_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    sum_or_difference(op, a, b, out, scratch, -1);
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
    int32_t *tables = scratch;
    int8_t added[BLOCK], sum[BLOCK], taken[BLOCK];
    sums_t by_added, by_sum, by_taken, by_carry;
    if (op->count < WORTH_TABLES || !ecgkd_fits_to_int8(op->sum->out_shift) ||
        (op->added != NULL && !ecgkd_fits_to_int8(op->added->out_shift)) ||
        (carry_out != NULL &&
         !(ecgkd_fits_to_int8(op->taken->out_shift) && ecgkd_fits_to_int8(op->carry->out_shift)))) {
        carry_one_by_one(op, x, branch, carry, out, carry_out);
        return;
    }
    by_sum = prepared(op->sum, tables, 1);
    if (op->added != NULL) {
        by_added = prepared(op->added, tables + 2 * VALUES, 1);
    }
    if (carry_out != NULL) {
        by_taken = prepared(op->taken, tables + 4 * VALUES, -1);
        by_carry = prepared(op->carry, tables + 6 * VALUES, -1);
    }
    for (int32_t start = 0; start < op->count; start += BLOCK) {
        const int32_t count = op->count - start < BLOCK ? op->count - start : BLOCK;
        const int8_t *gain = branch + start;
        if (op->added != NULL) {
            combine(&by_added, gain, carry + start, added, count);
            gain = added;
        }
        if (carry_out == NULL) {
            combine(&by_sum, x + start, gain, out + start, count);
            continue;
        }
        combine(&by_sum, x + start, gain, sum, count);
        combine(&by_taken, sum, x + start, taken, count);
        combine(&by_carry, gain, taken, carry_out + start, count);
        for (int32_t i = 0; i < count; i++) {
            out[start + i] = sum[i];
        }
    }
}

#endif
