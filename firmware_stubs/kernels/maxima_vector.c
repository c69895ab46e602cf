#include "maxima.h"

#if defined(ECGKD_VECTOR)

#include "vector.h"

void ecgkd_maximum_s8(const int8_t *in, int32_t steps, int32_t channels, int8_t *out)
{
    if (channels == 1) {
        *out = (int8_t)ecgkd_largest(in, steps);
        return;
    }
    int32_t c = 0;
    for (; c + 16 <= channels; c += 16) {
        int8x16_t most = vld1q_s8(in + c);
        for (int32_t t = 1; t < steps; t++) {
            most = vmaxq_s8(most, vld1q_s8(in + t * channels + c));
        }
        vst1q_s8(out + c, most);
    }
    for (; c < channels; c++) {
        int8_t most = in[c];
        for (int32_t t = 1; t < steps; t++) {
            most = in[t * channels + c] > most ? in[t * channels + c] : most;
        }
        out[c] = most;
    }
}

#endif
