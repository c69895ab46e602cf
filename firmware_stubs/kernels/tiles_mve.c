#include "target.h"

#if defined(ECGKD_MVE)

#include "dot_mve.h"
#include "tiles.h"

#define INLINE __attribute__((always_inline))

/* What rescales four sums at once, and where their bytes go. */
typedef struct {
    int32x4_t bias, multiplier, shift;
    uint32x4_t places; /* from the first byte */
    int32_t zero_point, low, high;
} finish_t;

/* Four sums to bytes. `quick`, a constant: without left shifts, and limits are those of int8. */
static inline INLINE void finish(const finish_t *by, int32x4_t sums, int quick, int8_t *out)
{
    sums = vaddq_s32(sums, by->bias);
    sums = quick ? ecgkd_scale_down_4(sums, by->multiplier, by->shift) : ecgkd_scale_4(sums, by->multiplier, by->shift);
    sums = vaddq_n_s32(sums, by->zero_point);
    if (quick) { /* the byte that is stored is right, those above it are not */
        const int16x8_t half = vqmovnbq_s32(vreinterpretq_s16_s32(sums), sums);
        sums = vreinterpretq_s32_s8(vqmovnbq_s16(vreinterpretq_s8_s16(half), half));
    } else {
        sums = vminq_s32(vmaxq_s32(sums, vdupq_n_s32(by->low)), vdupq_n_s32(by->high));
    }
    vstrbq_scatter_offset_s32(out, by->places, sums);
}

static inline int32x4_t four(int32_t a, int32_t b, int32_t c, int32_t d)
{
    int32x4_t values = vdupq_n_s32(a);
    values = vsetq_lane_s32(b, values, 1);
    values = vsetq_lane_s32(c, values, 2);
    return vsetq_lane_s32(d, values, 3);
}

static inline INLINE finish_t finish_of(const ecgkd_tiles_t *tiles, const int32_t *row, const int32_t *places)
{
    finish_t by;
    int32_t bias[4], multiplier[4], shift[4];
    for (int i = 0; i < 4; i++) {
        const int32_t table = tiles->uniform ? 0 : row[i];
        bias[i] = tiles->bias != NULL ? tiles->bias[row[i]] : 0;
        multiplier[i] = tiles->multiplier[table];
        shift[i] = tiles->shift[table];
    }
    by.bias = vld1q_s32(bias);
    by.multiplier = vld1q_s32(multiplier);
    by.shift = vld1q_s32(shift);
    by.places = vreinterpretq_u32_s32(vld1q_s32(places));
    by.zero_point = tiles->zero_point;
    by.low = tiles->low;
    by.high = tiles->high;
    return by;
}

/* Rows a and b with columns x and y. */
static inline INLINE int32x4_t dot_2x2(const int8_t *a, const int8_t *b, const int8_t *x, const int8_t *y,
                                       int32_t blocks)
{
    int32_t ax = 0, bx = 0, ay = 0, by = 0;
    for (; blocks > 0; blocks--, a += 16, b += 16, x += 16, y += 16) {
        const int8x16_t values = vldrbq_s8(x), others = vldrbq_s8(y), first = vldrbq_s8(a), second = vldrbq_s8(b);
        ax = vmladavaq_s8(ax, first, values);
        bx = vmladavaq_s8(bx, second, values);
        ay = vmladavaq_s8(ay, first, others);
        by = vmladavaq_s8(by, second, others);
    }
    return four(ax, bx, ay, by);
}

/* All pairs of columns; an odd one by itself meets itself. */
static inline INLINE void two_rows(const ecgkd_tiles_t *tiles, int32_t o, const int8_t *x, int32_t x_stride,
                                   int32_t columns, int quick, int8_t *out, int32_t out_stride)
{
    const int32_t second = o + 1 < tiles->outputs ? 1 : 0, count = tiles->blocks;
    const int8_t *a = tiles->rows + o * tiles->row_stride, *b = a + second * tiles->row_stride;
    const int32_t rows[4] = {o, o + second, o, o + second}, places[4] = {0, second, out_stride, out_stride + second};
    finish_t by = finish_of(tiles, rows, places);
    int32_t n = columns;
    for (; n >= 2; n -= 2, x += 2 * x_stride, out += 2 * out_stride) {
        finish(&by, dot_2x2(a, b, x, x + x_stride, count), quick, out);
    }
    if (n > 0) {
        const int32_t same[4] = {0, second, 0, second};
        by.places = vreinterpretq_u32_s32(vld1q_s32(same));
        finish(&by, dot_2x2(a, b, x, x, count), quick, out);
    }
}

/* The same as two_rows for pairs of columns, with the limits of int8. */
static void pairs_of_columns(const ecgkd_tiles_t *tiles, int32_t o, const int8_t *x, int32_t x_stride, int32_t columns,
                             int8_t *out, int32_t out_stride)
{
    const int32_t bytes = 16 * tiles->blocks, even = tiles->blocks % 2 == 0;
    ecgkd_mve_job_t job;
    job.a = tiles->rows + o * tiles->row_stride;
    job.b = job.a + tiles->row_stride;
    job.x = x;
    job.y = x + x_stride;
    job.count = even ? tiles->blocks / 2 : tiles->blocks;
    job.back = bytes;
    job.on = 2 * x_stride - bytes;
    job.out = out;
    job.pairs = columns / 2;
    job.step = 2 * out_stride;
    job.zero_point = tiles->zero_point;
    for (int32_t i = 0; i < 2; i++) {
        const int32_t table = tiles->uniform ? 0 : o + i;
        job.bias[i] = job.bias[i + 2] = tiles->bias != NULL ? tiles->bias[o + i] : 0;
        job.multiplier[i] = job.multiplier[i + 2] = tiles->multiplier[table];
        job.shift[i] = job.shift[i + 2] = tiles->shift[table];
        job.places[i] = i;
        job.places[i + 2] = out_stride + i;
    }
    if (even) {
        ecgkd_mve_run_twos(&job);
    } else {
        ecgkd_mve_run(&job);
    }
}

#define EVERY_ROW(quick)                                                                                               \
    for (int32_t o = 0; o < tiles->outputs; o += 2) {                                                                  \
        two_rows(tiles, o, x, x_stride, columns, quick, out + o, out_stride);                                          \
    }

/* Rows by one column each, four at a time. */
static void one_column(const ecgkd_tiles_t *tiles, const int8_t *x, int8_t *out, int32_t more)
{
    for (int32_t o = 0; o < tiles->outputs; o += 4) {
        int32_t rows[4];
        const int8_t *row[4];
        for (int i = 0; i < 4; i++) {
            rows[i] = o + i < tiles->outputs ? o + i : tiles->outputs - 1;
            row[i] = tiles->rows + rows[i] * tiles->row_stride;
        }
        const int8_t *a = row[0], *b = row[1], *c = row[2], *d = row[3], *in = x;
        int32_t sum_a = more, sum_b = more, sum_c = more, sum_d = more;
        for (int32_t k = tiles->blocks; k > 0; k--) {
            const int8x16_t values = vldrbq_s8(in);
            sum_a = vmladavaq_s8(sum_a, values, vldrbq_s8(a));
            sum_b = vmladavaq_s8(sum_b, values, vldrbq_s8(b));
            sum_c = vmladavaq_s8(sum_c, values, vldrbq_s8(c));
            sum_d = vmladavaq_s8(sum_d, values, vldrbq_s8(d));
            in += 16, a += 16, b += 16, c += 16, d += 16;
        }
        const finish_t by = finish_of(tiles, rows, rows);
        finish(&by, four(sum_a, sum_b, sum_c, sum_d), 0, out);
    }
}

void ecgkd_tiles(const ecgkd_tiles_t *tiles, const int8_t *x, int32_t x_stride, int32_t columns, int8_t *out,
                 int32_t out_stride)
{
    if (columns == 1 || tiles->more != NULL) {
        for (int32_t n = 0; n < columns; n++) {
            one_column(tiles, x + n * x_stride, out + n * out_stride, tiles->more != NULL ? tiles->more[n] : 0);
        }
        return;
    }
    const int quick = tiles->quick && tiles->low == -128 && tiles->high == 127;
    if (quick && tiles->outputs % 2 == 0) {
        const int32_t twos = columns & ~1;
        for (int32_t o = 0; o < tiles->outputs; o += 2) {
            pairs_of_columns(tiles, o, x, x_stride, twos, out + o, out_stride);
        }
        if (twos < columns) {
            one_column(tiles, x + twos * x_stride, out + twos * out_stride, 0);
        }
    } else if (quick) {
        EVERY_ROW(1)
    } else {
        EVERY_ROW(0)
    }
}

#endif
