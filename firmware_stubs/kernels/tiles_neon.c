#include "target.h"

#if defined(ECGKD_NEON)

#include "tile_neon.h"
#include "tiles.h"

/* Four rows and what rescales their sums; behind the last row the last one again. */
typedef struct {
    const int8_t *row[4];
    int32x4_t bias, multiplier, shift;
    int32_t count;
    int32_t zero_point, low, high;
} four_t;

static four_t four_of(const ecgkd_tiles_t *tiles, int32_t o)
{
    four_t four;
    int32_t bias[4], multiplier[4], shift[4];
    four.count = tiles->outputs - o < 4 ? tiles->outputs - o : 4;
    for (int32_t r = 0; r < 4; r++) {
        const int32_t place = o + (r < four.count ? r : four.count - 1), table = tiles->uniform ? 0 : place;
        four.row[r] = tiles->rows + place * tiles->row_stride;
        bias[r] = tiles->bias != NULL ? tiles->bias[place] : 0;
        multiplier[r] = tiles->multiplier[table];
        shift[r] = tiles->shift[table];
    }
    four.bias = vld1q_s32(bias);
    four.multiplier = vld1q_s32(multiplier);
    four.shift = vld1q_s32(shift);
    four.zero_point = tiles->zero_point;
    four.low = tiles->low;
    four.high = tiles->high;
    return four;
}

static inline INLINE int32x4_t scaled(const four_t *four, int32x4_t sums, int quick)
{
    sums = vaddq_s32(sums, four->bias);
    if (!quick) {
        return ecgkd_scale_4(sums, four->multiplier, four->shift);
    }
    sums = vqrdmulhq_s32(sums, four->multiplier);
    return vrshlq_s32(vsraq_n_s32(sums, sums, 31), four->shift);
}

/* Held within 16 bits, the zero point added, held within 8 bits and, unless `whole`, the limits. */
static inline INLINE int8x8_t narrowed(const four_t *four, int32x4_t a, int32x4_t b, int whole)
{
    const int16x8_t both = vcombine_s16(vqmovn_s32(a), vqmovn_s32(b));
    const int8x8_t bytes = vqmovn_s16(vqaddq_s16(both, vdupq_n_s16((int16_t)four->zero_point)));
    return whole ? bytes : vmin_s8(vmax_s8(bytes, vdup_n_s8((int8_t)four->low)), vdup_n_s8((int8_t)four->high));
}

/* All columns of up to four rows; the constants `quick` and `full` as of the tiles. */
static inline INLINE void four_rows(const ecgkd_tiles_t *tiles, const four_t *given, const int8_t *x, int32_t x_stride,
                                    int32_t columns, int quick, int full, int8_t *out, int32_t out_stride)
{
    const four_t four = *given;
    const int32_t *more = tiles->more;
    for (; columns > 0; columns -= WIDTH, out += WIDTH * out_stride, x += WIDTH * x_stride) {
        const int8_t *column[WIDTH];
        int32x4_t sums[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            column[i] = x + (i < columns ? i : 0) * x_stride;
        }
        tile(four.row, column, tiles->blocks, full, sums);
        for (int i = 0; more != NULL && i < WIDTH && i < columns; i++) {
            sums[i] = vaddq_s32(sums[i], vdupq_n_s32(*more++));
        }
        int8x8_t bytes[WIDTH / 2];
        for (int n = 0; n < WIDTH; n += 2) {
            bytes[n / 2] = narrowed(&four, scaled(&four, sums[n], quick), scaled(&four, sums[n + 1], quick), 0);
        }
        for (int32_t n = 0; n < WIDTH && n < columns; n++) {
            int8_t part[8];
            vst1_s8(part, bytes[n / 2]);
            if (four.count == 4) {
                memcpy(out + n * out_stride, part + 4 * (n % 2), 4);
                continue;
            }
            for (int32_t r = 0; r < four.count; r++) {
                out[n * out_stride + r] = part[4 * (n % 2) + r];
            }
        }
    }
}

/* The common case: four rows, whole tiles of columns, the limits of int8, quick. */
static inline INLINE void whole_tiles(const four_t *given, const int8_t *x, ptrdiff_t x_stride, int32_t tiles_left,
                                      ptrdiff_t blocks, int full, int8_t *out, ptrdiff_t out_stride)
{
    const four_t four = *given;
    const int8_t *const row[4] = {four.row[0], four.row[1], four.row[2], four.row[3]};
    for (; tiles_left > 0; tiles_left--, x += WIDTH * x_stride) {
        const int8_t *column[WIDTH];
        int32x4_t sums[WIDTH];
        for (int i = 0; i < WIDTH; i++) {
            column[i] = x + i * x_stride;
        }
        tile(row, column, blocks, full, sums);
        for (int n = 0; n < WIDTH; n += 2, out += 2 * out_stride) {
            const int8x8_t two = narrowed(&four, scaled(&four, sums[n], 1), scaled(&four, sums[n + 1], 1), 1);
            const uint32_t first = vget_lane_u32(vreinterpret_u32_s8(two), 0);
            const uint32_t second = vget_lane_u32(vreinterpret_u32_s8(two), 1);
            memcpy(out, &first, 4);
            memcpy(out + out_stride, &second, 4);
        }
    }
}

void ecgkd_tiles(const ecgkd_tiles_t *tiles, const int8_t *x, int32_t x_stride, int32_t columns, int8_t *out,
                 int32_t out_stride)
{
    const int32_t common = tiles->more == NULL && tiles->quick && tiles->low == -128 && tiles->high == 127;
    for (int32_t o = 0; o < tiles->outputs; o += 4, out += 4) {
        const four_t four = four_of(tiles, o);
        const int32_t whole = common && four.count == 4 ? columns / WIDTH : 0, done = whole * WIDTH;
        if (tiles->full) {
            whole_tiles(&four, x, x_stride, whole, tiles->blocks, 1, out, out_stride);
        } else {
            whole_tiles(&four, x, x_stride, whole, tiles->blocks, 0, out, out_stride);
        }
        if (tiles->quick && !tiles->full) {
            four_rows(tiles, &four, x + done * x_stride, x_stride, columns - done, 1, 0, out + done * out_stride,
                      out_stride);
        } else if (tiles->quick) {
            four_rows(tiles, &four, x + done * x_stride, x_stride, columns - done, 1, 1, out + done * out_stride,
                      out_stride);
        } else {
            four_rows(tiles, &four, x, x_stride, columns, 0, 1, out, out_stride);
        }
    }
}

#endif
