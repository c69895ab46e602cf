#include "columns.h"

#if !defined(ECGKD_DSP)

#include <string.h>

/* Steps of the output whose windows reach beyond the signal: their part of it is copied, with its padding. */
static void edge(const ecgkd_conv1d_t *op, const int8_t *in, int8_t *out, int8_t *part, int32_t step, int32_t stop)
{
    const int32_t channels = op->channels;
    while (step < stop) {
        const int32_t count = stop - step < op->chunk ? stop - step : op->chunk;
        const int32_t first = step * op->stride - op->pad_left;
        const int32_t steps = op->taps + (count - 1) * op->stride;
        const int32_t before = first < 0 ? (-first < steps ? -first : steps) : 0;
        const int32_t end = first + steps < op->in_steps ? first + steps : op->in_steps;
        const int32_t inside = end > first + before ? end - first - before : 0;
        memset(part, op->in_zero_point, (size_t)(steps * channels));
        memcpy(part + before * channels, in + (first + before) * channels, (size_t)(inside * channels));
        memset(part + steps * channels, 0, 16);
        ecgkd_columns_s8(&op->layer, part, op->stride * channels, count, out + step * op->layer.outputs,
                         op->layer.outputs);
        step += count;
    }
}

void ecgkd_conv1d_s8(const ecgkd_conv1d_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    const int32_t distance = op->stride * op->channels;
    const int32_t room = (op->in_steps + op->pad_left) * op->channels - ECGKD_PADDED(op->layer.depth);
    int32_t first = (op->pad_left + op->stride - 1) / op->stride;
    int32_t stop = room < 0 ? 0 : room / distance + 1;
    first = first < op->out_steps ? first : op->out_steps;
    stop = stop < op->out_steps ? stop : op->out_steps;
    stop = stop > first ? stop : first;
    edge(op, in, out, scratch, 0, first);
    ecgkd_columns_s8(&op->layer, in + (first * op->stride - op->pad_left) * op->channels, distance, stop - first,
                     out + first * op->layer.outputs, op->layer.outputs);
    edge(op, in, out, scratch, stop, op->out_steps);
}

#endif
