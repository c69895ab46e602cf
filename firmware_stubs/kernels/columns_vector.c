#include "columns.h"

#if defined(ECGKD_VECTOR)

#include "tiles.h"

void ecgkd_columns_s8(const ecgkd_layer_t *layer, const int8_t *x, int32_t x_stride, int32_t columns, int8_t *out,
                      int32_t out_stride)
{
    const int32_t padded = ECGKD_PADDED(layer->depth);
    const ecgkd_tiles_t tiles = {.rows = layer->weights,
                                 .row_stride = padded,
                                 .bias = layer->bias,
                                 .multiplier = layer->multiplier,
                                 .shift = layer->shift,
                                 .outputs = layer->outputs,
                                 .blocks = padded / 16,
                                 .quick = layer->quick,
                                 .zero_point = layer->out_zero_point,
                                 .low = layer->low,
                                 .high = layer->high};
    ecgkd_tiles(&tiles, x, x_stride, columns, out, out_stride);
    if (layer->table != NULL) {
        const int32_t whole = out_stride == layer->outputs;
        const ecgkd_lookup_t lookup = {layer->table, whole ? columns * layer->outputs : layer->outputs};
        for (int32_t n = 0; n < (whole ? 1 : columns); n++) {
            ecgkd_lookup_s8(&lookup, out + n * out_stride, out + n * out_stride, NULL);
        }
    }
}

#endif
