#include "target.h"

#if defined(ECGKD_VECTOR)

#include "requantise.h"
#include "vector.h"

static inline ecgkd_block_t product(ecgkd_block_t a, int32_t a_zero_point, ecgkd_block_t b, int32_t b_zero_point,
                                    const ecgkd_by_t *by)
{
    const int32x4_t a_zero = vdupq_n_s32(a_zero_point), b_zero = vdupq_n_s32(b_zero_point);
    ECGKD_UNROLL
    for (int i = 0; i < ECGKD_VECTORS; i++) {
        a.v[i] = ecgkd_finish(vmulq_s32(vsubq_s32(a.v[i], a_zero), vsubq_s32(b.v[i], b_zero)), by);
    }
    return a;
}

/* A row by a factor that stays. */
static inline ecgkd_block_t times_factor(ecgkd_block_t a, int32_t zero_point, int32_t factor, const ecgkd_by_t *by)
{
    const int32x4_t start = vdupq_n_s32(-zero_point * factor);
    ECGKD_UNROLL
    for (int i = 0; i < ECGKD_VECTORS; i++) {
        a.v[i] = ecgkd_finish(vaddq_s32(vmulq_n_s32(a.v[i], factor), start), by);
    }
    return a;
}

static void factor_row(const int8_t *a, int32_t zero_point, int32_t factor, const ecgkd_by_t *same, int8_t *out,
                       int32_t count)
{
    const ecgkd_by_t by = *same;
    for (; count >= ECGKD_BLOCK; count -= ECGKD_BLOCK, a += ECGKD_BLOCK, out += ECGKD_BLOCK) {
        ecgkd_store(out, times_factor(ecgkd_load(a), zero_point, factor, &by));
    }
    if (count > 0) {
        ecgkd_store_part(out, times_factor(ecgkd_load_part(a, count), zero_point, factor, &by), count);
    }
}

static void row(const int8_t *a, int32_t a_zero_point, const int8_t *b, int32_t b_zero_point, const ecgkd_by_t *same,
                int8_t *out, int32_t count)
{
    const ecgkd_by_t by = *same;
    for (; count >= ECGKD_BLOCK; count -= ECGKD_BLOCK, a += ECGKD_BLOCK, b += ECGKD_BLOCK, out += ECGKD_BLOCK) {
        ecgkd_store(out, product(ecgkd_load(a), a_zero_point, ecgkd_load(b), b_zero_point, &by));
    }
    if (count > 0) {
        const ecgkd_block_t left = ecgkd_load_part(a, count), right = ecgkd_load_part(b, count);
        ecgkd_store_part(out, product(left, a_zero_point, right, b_zero_point, &by), count);
    }
}

static void one_by_one(const ecgkd_mul_t *op, const int8_t *a, const int8_t *b, int8_t *out)
{
    for (int32_t c = 0; c < op->shape.columns; c++) {
        const int32_t value =
            (a[c * op->shape.a_column] - op->a_zero_point) * (b[c * op->shape.b_column] - op->b_zero_point);
        out[c] = ecgkd_rescale(value, op->multiplier, op->shift, op->out_zero_point, op->low, op->high);
    }
}

void ecgkd_mul_s8(const ecgkd_mul_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    (void)scratch;
    const ecgkd_broadcast_t *shape = &op->shape;
    const ecgkd_by_t by = {op->multiplier, op->shift, op->out_zero_point, op->low, op->high};
    const int32_t columns = shape->columns, a_zero_point = op->a_zero_point, b_zero_point = op->b_zero_point;
    for (int32_t r = 0; r < shape->rows; r++, a += shape->a_row, b += shape->b_row, out += columns) {
        if (op->shift >= 0 || shape->a_column + shape->b_column == 0) {
            one_by_one(op, a, b, out);
        } else if (shape->b_column == 0) {
            factor_row(a, a_zero_point, *b - b_zero_point, &by, out, columns);
        } else if (shape->a_column == 0) {
            factor_row(b, b_zero_point, *a - a_zero_point, &by, out, columns);
        } else {
            row(a, a_zero_point, b, b_zero_point, &by, out, columns);
        }
    }
}

#endif
