#include <string.h>

#include "ecgkd_nn.h"

void ecgkd_copy_s8(const ecgkd_copy_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    const int32_t *size = op->size, *from = op->in_stride, *to = op->out_stride;
    for (int32_t i = 0; i < size[0]; i++) {
        for (int32_t j = 0; j < size[1]; j++) {
            for (int32_t k = 0; k < size[2]; k++) {
                const int8_t *source = in + i * from[0] + j * from[1] + k * from[2];
                int8_t *target = out + i * to[0] + j * to[1] + k * to[2];
                if (from[3] == 1 && to[3] == 1) {
                    memcpy(target, source, (size_t)size[3]);
                    continue;
                }
                for (int32_t l = 0; l < size[3]; l++) {
                    target[l * to[3]] = source[l * from[3]];
                }
            }
        }
    }
}
