#include "target.h"

#if defined(ECGKD_DSP)

#include "dsp.h"
#include "requantise.h"

#define QUICK_INNER 16000 /* 255 * 255 * this < 2^30 */

/* Four bytes less their zero point: `base` holds minus it twice. */
static inline void unpack(uint32_t word, int32_t base, int32_t *out, int32_t distance)
{
    int32_t even, odd;
    __asm__("sxtab16 %0, %1, %2" : "=r"(even) : "r"(base), "r"(word));
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(odd) : "r"(base), "r"(word));
    out[0] = even;
    out[distance] = odd;
}

static int32_t twice(int32_t zero_point)
{
    return (int32_t)(((uint32_t)-zero_point & 0xffff) * 0x10001);
}

/* A contiguous row; the rest of the `padded` places is 0. Groups of two words lie `distance` words apart. */
static void unpack_row(const int8_t *in, int32_t base, int32_t count, int32_t padded, int32_t *out, int32_t distance)
{
    int32_t k = 0;
    for (; k + 4 <= count; k += 4, out += distance) {
        uint32_t word;
        memcpy(&word, in + k, 4);
        unpack(word, base, out, 1);
    }
    for (; k < padded; k += 4, out += distance) {
        int16_t four[4] = {0};
        for (int32_t j = 0; j < 4 && k + j < count; j++) {
            four[j] = (int16_t)(in[k + j] + (int16_t)base);
        }
        out[0] = (int32_t)((uint16_t)four[0] | (uint32_t)(uint16_t)four[2] << 16);
        out[1] = (int32_t)((uint16_t)four[1] | (uint32_t)(uint16_t)four[3] << 16);
    }
}

/* Two neighbouring columns of b [inner, columns]; `other` is 0 where there is no second. */
static void unpack_columns(const int8_t *b, int32_t row, int32_t other, int32_t base, int32_t count, int32_t padded,
                           int32_t *out)
{
    int32_t k = 0;
    for (; other && k + 4 <= count; k += 4, b += 4 * row, out += 4) {
        uint16_t two[4];
        memcpy(&two[0], b, 2);
        memcpy(&two[1], b + row, 2);
        memcpy(&two[2], b + 2 * row, 2);
        memcpy(&two[3], b + 3 * row, 2);
        unpack((uint32_t)two[0] | (uint32_t)two[2] << 16, base, out, 2);
        unpack((uint32_t)two[1] | (uint32_t)two[3] << 16, base, out + 1, 2);
    }
    for (; k < padded; k += 4, b += 4 * row, out += 4) {
        int16_t four[2][4] = {{0}};
        for (int32_t j = 0; j < 4 && k + j < count; j++) {
            four[0][j] = (int16_t)(b[j * row] + (int16_t)base);
            four[1][j] = (int16_t)(b[j * row + other] + (int16_t)base);
        }
        for (int32_t n = 0; n < 2; n++) {
            out[2 * n] = (int32_t)((uint16_t)four[n][0] | (uint32_t)(uint16_t)four[n][2] << 16);
            out[2 * n + 1] = (int32_t)((uint16_t)four[n][1] | (uint32_t)(uint16_t)four[n][3] << 16);
        }
    }
}

static inline int8_t finish(const ecgkd_matmul_t *op, int32_t quick, int32_t half, int32_t sum)
{
    const int32_t value = quick ? ecgkd_quick_scale(sum, op->multiplier, half, -op->shift)
                                : ecgkd_scale(sum, op->multiplier, op->shift);
    return (int8_t)ecgkd_clamp(value + op->out_zero_point, op->low, op->high);
}

/* All rows of one product against columns j and j + 1, unpacked in `pair`. */
static void two_columns(const ecgkd_matmul_t *op, const int32_t *rows, const int32_t *pair, int8_t *out, int32_t both)
{
    const int32_t blocks = ECGKD_PADDED(op->inner) / 16, words = blocks * 8, stride = op->out_row;
    const int32_t quick = op->shift < 0 && op->inner <= QUICK_INNER;
    const int32_t half = quick ? (int32_t)1 << (-op->shift - 1) : 0;
    int32_t left = op->rows;
    for (; left >= 2; left -= 2, rows += 2 * words, out += 2 * stride) {
        int32_t sums[4] = {0};
        ecgkd_dsp_dot_2x2(sums, pair, rows, rows + words, blocks);
        out[0] = finish(op, quick, half, sums[0]);
        out[stride] = finish(op, quick, half, sums[2]);
        if (both) {
            out[1] = finish(op, quick, half, sums[1]);
            out[stride + 1] = finish(op, quick, half, sums[3]);
        }
    }
    if (left > 0) {
        int32_t sums[2] = {0};
        ecgkd_dsp_dot_2x1(sums, pair, rows, blocks);
        out[0] = finish(op, quick, half, sums[0]);
        if (both) {
            out[1] = finish(op, quick, half, sums[1]);
        }
    }
}

void ecgkd_matmul_s8(const ecgkd_matmul_t *op, const int8_t *a, const int8_t *b, int8_t *out, void *scratch)
{
    const int32_t padded = ECGKD_PADDED(op->inner), words = padded / 2;
    const int32_t a_base = twice(op->a_zero_point), b_base = twice(op->b_zero_point);
    int32_t *pair = scratch, *rows = pair + padded;
    for (int32_t n = 0; n < op->batch; n++, a += op->a_batch, b += op->b_batch, out += op->out_batch) {
        for (int32_t i = 0; i < op->rows; i++) {
            unpack_row(a + i * op->a_row, a_base, op->inner, padded, rows + i * words, 2);
        }
        for (int32_t j = 0; j < op->columns; j += 2) {
            const int32_t both = j + 1 < op->columns;
            if (op->transpose_b) {
                unpack_row(b + j * op->b_row, b_base, op->inner, padded, pair, 4);
                unpack_row(b + (j + both) * op->b_row, b_base, op->inner, padded, pair + 2, 4);
            } else {
                unpack_columns(b + j, op->b_row, both, b_base, op->inner, padded, pair);
            }
            two_columns(op, rows, pair, out + j, both);
        }
    }
}

#endif
