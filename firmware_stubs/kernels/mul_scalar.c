#include "target.h"

#if defined(ECGKD_SCALAR)

#include "ecgkd_nn.h"
#include "to_int8.h"

/* A row by a factor that stays: out = rescale(factor * (a - a_zero_point)). */
static inline void by_factor(const ecgkd_to_int8_t *rescaled, int32_t columns, const int8_t *a, int32_t a_zero_point,
                             int32_t factor, int8_t *out, int limited)
{
    const ecgkd_to_int8_t to = *rescaled;
    const int32_t twice = 2 * factor, start = -twice * a_zero_point;
    for (const int8_t *end = a + columns; a < end; a++) {
        *out++ = ecgkd_to_int8(&to, start + twice * *a, limited);
    }
}

static void times_factor(const ecgkd_to_int8_t *to, int32_t columns, const int8_t *a, int32_t a_zero_point,
                         int32_t factor, int8_t *out)
{
    if (ecgkd_is_limited(to)) {
        by_factor(to, columns, a, a_zero_point, factor, out, 1);
    } else {
        by_factor(to, columns, a, a_zero_point, factor, out, 0);
    }
}

static inline void both(const ecgkd_mul_t *op, const ecgkd_to_int8_t *rescaled, const int8_t *a, const int8_t *b,
                        int8_t *out, int limited)
{
    const ecgkd_to_int8_t to = *rescaled;
    const int32_t a_zero_point = op->a_zero_point, b_zero_point = op->b_zero_point;
    for (const int8_t *end = a + op->shape.columns; a < end; a++, b++) {
        *out++ = ecgkd_to_int8(&to, 2 * ((*a - a_zero_point) * (*b - b_zero_point)), limited);
    }
}

static void times(const ecgkd_mul_t *op, const ecgkd_to_int8_t *to, const int8_t *a, const int8_t *b, int8_t *out)
{
    if (ecgkd_is_limited(to)) {
        both(op, to, a, b, out, 1);
    } else {
        both(op, to, a, b, out, 0);
    }
}

static void times_in_general(const ecgkd_mul_t *op, const int8_t *a, const int8_t *b, int8_t *out)
{
    for (int32_t c = 0; c < op->shape.columns; c++) {
        const int32_t product =
            (a[c * op->shape.a_column] - op->a_zero_point) * (b[c * op->shape.b_column] - op->b_zero_point);
        out[c] = ecgkd_rescale(product, op->multiplier, op->shift, op->out_zero_point, op->low, op->high);
    }
}

void ecgkd_mul_s8(const ecgkd_mul_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    const ecgkd_broadcast_t *shape = &op->shape;
    const int fits = ecgkd_fits_to_int8(op->shift) && (shape->a_column != 0 || shape->b_column != 0);
    const ecgkd_to_int8_t to =
        ecgkd_to_int8_of(op->multiplier, fits ? op->shift : -1, op->out_zero_point, op->low, op->high);
    (void)scratch;
    for (int32_t r = 0; r < shape->rows; r++, a += shape->a_row, b += shape->b_row, out += shape->columns) {
        if (!fits) {
            times_in_general(op, a, b, out);
        } else if (shape->a_column != 0 && shape->b_column != 0) {
            times(op, &to, a, b, out);
        } else if (shape->a_column != 0) {
            times_factor(&to, shape->columns, a, op->a_zero_point, *b - op->b_zero_point, out);
        } else {
            times_factor(&to, shape->columns, b, op->b_zero_point, *a - op->a_zero_point, out);
        }
    }
}

#endif
