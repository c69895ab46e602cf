#include "target.h"

#if defined(ECGKD_DSP)

#include "dsp.h"

static void fill(int32_t *out, int32_t value, int32_t words)
{
    const int32_t both = (int32_t)(((uint32_t)value & 0xffff) * 0x10001);
    for (int32_t i = 0; i < words; i++) {
        out[i] = both;
    }
}

/* The signal from step `first` on, unpacked, with its padding; channels a multiple of 4. */
static void unpack_steps(const ecgkd_conv1d_t *op, const int8_t *in, int32_t first, int32_t steps, int32_t *out)
{
    const int32_t words = op->channels / 2;
    const int32_t before = first < 0 ? (-first < steps ? -first : steps) : 0;
    const int32_t end = first + steps < op->in_steps ? first + steps : op->in_steps;
    const int32_t inside = end > first + before ? end - first - before : 0;
    fill(out, op->in_zero_point, before * words);
    ecgkd_dsp_unpack_row(in + (first + before) * op->channels, out + before * words, inside * op->channels);
    fill(out + (before + inside) * words, op->in_zero_point, (steps - before - inside) * words);
    fill(out + steps * words, 0, 8);
}

/* One column by itself. */
static void unpack_column(const ecgkd_conv1d_t *op, const int8_t *in, int32_t first, int32_t *out)
{
    const int32_t depth = op->layer.depth, padded = ECGKD_PADDED(depth), size = op->in_steps * op->channels;
    const int32_t start = first * op->channels;
    if (start >= 0 && start + padded <= size) {
        ecgkd_dsp_unpack_row(in + start, out, padded);
        return;
    }
    for (int32_t k = 0; k < padded; k += 4, out += 2) {
        int8_t four[4];
        for (int32_t j = 0; j < 4; j++) {
            const int32_t place = start + k + j;
            four[j] = (int8_t)(place >= 0 && place < size ? in[place] : op->in_zero_point);
        }
        ecgkd_dsp_unpack(four, out);
    }
}

void ecgkd_conv1d_s8(const ecgkd_conv1d_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t padded = ECGKD_PADDED(op->layer.depth), outputs = op->layer.outputs;
    int32_t *pair = scratch, *x = pair + padded;
    for (int32_t step = 0; step < op->out_steps; step += op->chunk) {
        const int32_t count = op->out_steps - step < op->chunk ? op->out_steps - step : op->chunk;
        const int32_t first = step * op->stride - op->pad_left;
        int32_t distance = op->stride * op->channels / 2;
        if (op->channels % 4 == 0) {
            unpack_steps(op, in, first, op->taps + (count - 1) * op->stride, x);
        } else {
            distance = padded / 2;
            for (int32_t n = 0; n < count; n++) {
                unpack_column(op, in, first + n * op->stride, x + n * distance);
            }
        }
        ecgkd_dsp_columns(&op->layer, x, distance, count, out + step * outputs, outputs, pair);
    }
}

#endif
