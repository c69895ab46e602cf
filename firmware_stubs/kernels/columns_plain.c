#include "columns.h"

#if defined(ECGKD_PLAIN)

#include "requantise.h"

static int32_t dot(const int8_t *w, const int8_t *x, int32_t depth)
{
    int32_t sum = 0;
    for (int32_t k = 0; k < depth; k++) {
        sum += (int32_t)w[k] * x[k];
    }
    return sum;
}

void ecgkd_columns_s8(const ecgkd_layer_t *layer, const int8_t *x, int32_t x_stride, int32_t columns, int8_t *out,
                      int32_t out_stride)
{
    const int32_t row = ECGKD_PADDED(layer->depth);
    for (int32_t n = 0; n < columns; n++) {
        for (int32_t o = 0; o < layer->outputs; o++) {
            const int32_t sum = layer->bias[o] + dot(layer->weights + o * row, x, layer->depth);
            const int8_t result = ecgkd_rescale(sum, layer->multiplier[o], layer->shift[o], layer->out_zero_point,
                                                layer->low, layer->high);
            out[o] = layer->table != NULL ? layer->table[result + 128] : result;
        }
        x += x_stride;
        out += out_stride;
    }
}

#endif
