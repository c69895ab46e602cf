#include "ecgkd_nn.h"
#include "requantise.h"

void ecgkd_depthwise_conv1d_s8(const ecgkd_depthwise_conv1d_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    const ecgkd_layer_t *layer = &op->layer;
    const int32_t channels = layer->outputs;
    for (int32_t t = 0; t < op->out_steps; t++) {
        const int32_t first = t * op->stride - op->pad_left;
        for (int32_t c = 0; c < channels; c++) {
            int32_t sum = layer->bias[c];
            for (int32_t k = 0; k < op->taps; k++) {
                const int32_t step = first + k;
                const int32_t x = step >= 0 && step < op->in_steps ? in[step * channels + c] : op->in_zero_point;
                sum += x * layer->weights[k * channels + c];
            }
            const int8_t result = ecgkd_rescale(sum, layer->multiplier[c], layer->shift[c], layer->out_zero_point,
                                                layer->low, layer->high);
            *out++ = layer->table != NULL ? layer->table[result + 128] : result;
        }
    }
}
