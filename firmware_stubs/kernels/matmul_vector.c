#include "target.h"

#if defined(ECGKD_VECTOR)

#include "tiles.h"

#define QUICK_INNER 16000 /* 255 * 255 * this < 2^30 */

/* out [columns, padded] = the transpose of b [inner, columns], filled up with 0. */
static void transpose(const int8_t *b, int32_t row, int32_t inner, int32_t columns, int8_t *out, int32_t padded)
{
    memset(out, 0, (size_t)(columns * padded));
    for (int32_t k = 0; k < inner; k++, b += row, out++) {
        int32_t j = 0;
#if defined(ECGKD_MVE)
        const uint16x8_t places = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)padded);
        for (; j < columns && padded <= 8191; j += 8) {
            const mve_pred16_t inside = vctp16q((uint32_t)(columns - j));
            vstrbq_scatter_offset_p_s16(out + j * padded, places, vldrbq_z_s16(b + j, inside), inside);
        }
#endif
        for (; j < columns; j++) {
            out[j * padded] = b[j];
        }
    }
}

static void copy_rows(const int8_t *in, int32_t stride, int32_t rows, int32_t inner, int8_t *out, int32_t padded)
{
    for (int32_t n = 0; n < rows; n++, in += stride, out += padded) {
        memcpy(out, in, (size_t)inner);
        memset(out + inner, 0, (size_t)(padded - inner));
    }
}

/* With x' = x - zero point: sum a'b' = sum ab - za sum b - zb sum a + K za zb. */
void ecgkd_matmul_s8(const ecgkd_matmul_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    const int32_t inner = op->inner, padded = ECGKD_PADDED(inner), whole = padded == inner;
    const int32_t a_zero_point = op->a_zero_point, b_zero_point = op->b_zero_point;
    const int8_t shift = (int8_t)op->shift;
    int32_t *bias = scratch, *more = bias + 4 * ((op->columns + 3) / 4);
    int8_t *rows = (int8_t *)(more + 4 * ((op->rows + 3) / 4)), *columns = rows + op->rows * padded;
    for (int32_t n = 0; n < op->batch; n++, a += op->a_batch, b += op->b_batch, out += op->out_batch) {
        const int8_t *left = a, *right = b;
        int32_t left_stride = op->a_row, right_stride = op->b_row;
        if (!op->transpose_b) {
            transpose(b, op->b_row, inner, op->columns, columns, padded);
        } else if (!whole) {
            copy_rows(b, op->b_row, op->columns, inner, columns, padded);
        }
        if (!op->transpose_b || !whole) {
            right = columns, right_stride = padded;
        }
        if (!whole) {
            copy_rows(a, op->a_row, op->rows, inner, rows, padded);
            left = rows, left_stride = padded;
        }
        for (int32_t j = 0; a_zero_point != 0 && j < op->columns; j++) {
            bias[j] = a_zero_point * (inner * b_zero_point - ecgkd_dot(right + j * right_stride, NULL, inner));
        }
        for (int32_t i = 0; b_zero_point != 0 && i < op->rows; i++) {
            more[i] = -b_zero_point * ecgkd_dot(left + i * left_stride, NULL, inner);
        }
        const ecgkd_tiles_t tiles = {.rows = right,
                                     .row_stride = right_stride,
                                     .bias = a_zero_point != 0 ? bias : NULL,
                                     .multiplier = &op->multiplier,
                                     .shift = &shift,
                                     .more = b_zero_point != 0 ? more : NULL,
                                     .outputs = op->columns,
                                     .blocks = padded / 16,
                                     .uniform = 1,
                                     .full = 1,
                                     .quick = op->shift < 0 && inner <= QUICK_INNER,
                                     .zero_point = op->out_zero_point,
                                     .low = op->low,
                                     .high = op->high};
        ecgkd_tiles(&tiles, left, left_stride, op->rows, out, op->out_row);
    }
}

#endif
