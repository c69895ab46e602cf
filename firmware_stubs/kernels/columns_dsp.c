#include "target.h"

#if defined(ECGKD_DSP)

#include "dsp.h"
#include "requantise.h"

typedef struct {
    int32_t bias, multiplier, shift, half;
} row_t;

static row_t row_of(const ecgkd_layer_t *layer, int32_t output)
{
    const int32_t shift = layer->shift[output];
    const row_t row = {layer->bias[output], layer->multiplier[output], shift, shift < 0 ? (int32_t)1 << (-shift - 1) : 0};
    return row;
}

static inline int32_t finish(const ecgkd_layer_t *layer, const row_t *row, int32_t sum)
{
    const int32_t value = layer->quick ? ecgkd_quick_scale(sum, row->multiplier, row->half, -row->shift)
                                       : ecgkd_scale(sum, row->multiplier, row->shift);
    const int32_t result = ecgkd_clamp(value + layer->out_zero_point, layer->low, layer->high);
    return layer->table != NULL ? layer->table[result + 128] : result;
}

/* Whether the assembler code does for rows `o` and o + 1. */
static int plain(const ecgkd_layer_t *layer, int32_t o)
{
    return layer->quick && layer->low == -128 && layer->high == 127 && o + 1 < layer->outputs &&
           layer->shift[o] >= -ECGKD_DSP_RIGHT && layer->shift[o + 1] >= -ECGKD_DSP_RIGHT;
}

void ecgkd_dsp_columns(const ecgkd_layer_t *layer, const int32_t *x, int32_t x_stride, int32_t columns, int8_t *out,
                       int32_t out_stride, int32_t *pair)
{
    const int32_t padded = ECGKD_PADDED(layer->depth), outputs = layer->outputs;
    for (int32_t o = 0; o < outputs; o += 2, out += 2) {
        const int8_t *weights = layer->weights + o * padded;
        const int32_t both = o + 1 < outputs;
        const row_t first = row_of(layer, o), second = row_of(layer, both ? o + 1 : o);
        ecgkd_dsp_unpack_pair(weights, both ? weights + padded : weights, pair, padded);
        const int32_t *column = x;
        int8_t *target = out;
        int32_t left = columns;
        if (left >= 2 && plain(layer, o)) {
            const int32_t zero = layer->out_zero_point;
            ecgkd_dsp_job_t job = {.pair = pair,
                                   .x = column,
                                   .x_stride = 4 * x_stride,
                                   .blocks = padded / 16,
                                   .pairs = left / 2,
                                   .out = target,
                                   .out_stride = out_stride,
                                   .bias = {first.bias, second.bias},
                                   .row = {{first.multiplier, first.half + zero * 2 * first.half, -first.shift},
                                           {second.multiplier, second.half + zero * 2 * second.half, -second.shift}},
                                   .table = layer->table != NULL ? layer->table + 128 : NULL};
            if (layer->table != NULL) {
                ecgkd_dsp_run_table(&job);
            } else {
                ecgkd_dsp_run(&job);
            }
            column += (left & ~1) * x_stride;
            target += (left & ~1) * out_stride;
            left &= 1;
        }
        for (; left >= 2; left -= 2, column += 2 * x_stride, target += 2 * out_stride) {
            int32_t sums[4] = {first.bias, second.bias, first.bias, second.bias};
            ecgkd_dsp_dot_2x2(sums, pair, column, column + x_stride, padded / 16);
            target[0] = (int8_t)finish(layer, &first, sums[0]);
            target[out_stride] = (int8_t)finish(layer, &first, sums[2]);
            if (both) {
                target[1] = (int8_t)finish(layer, &second, sums[1]);
                target[out_stride + 1] = (int8_t)finish(layer, &second, sums[3]);
            }
        }
        if (left > 0) {
            int32_t sums[2] = {first.bias, second.bias};
            ecgkd_dsp_dot_2x1(sums, pair, column, padded / 16);
            target[0] = (int8_t)finish(layer, &first, sums[0]);
            if (both) {
                target[1] = (int8_t)finish(layer, &second, sums[1]);
            }
        }
    }
}

#endif
