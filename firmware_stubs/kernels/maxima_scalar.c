#include "target.h"

#if defined(ECGKD_SCALAR)

#include <string.h>

#include "maxima.h"

#if defined(ECGKD_DSP)
/* Lane by lane, the larger of four int8. */
static inline uint32_t larger(uint32_t a, uint32_t b)
{
    uint32_t most;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(most) : "r"(a), "r"(b) : "cc");
    return most;
}
#endif

void ecgkd_maximum_s8(const int8_t *in, int32_t steps, int32_t channels, int8_t *out)
{
    int32_t c = 0;
#if defined(ECGKD_DSP)
    for (; c + 4 <= channels; c += 4) {
        const int8_t *at = in + c;
        uint32_t most, next;
        memcpy(&most, at, sizeof most);
        for (int32_t t = 1; t < steps; t++) {
            at += channels;
            memcpy(&next, at, sizeof next);
            most = larger(most, next);
        }
        memcpy(out + c, &most, sizeof most);
    }
#endif
    for (; c < channels; c++) {
        const int8_t *at = in + c;
        int8_t most = *at;
        for (int32_t t = 1; t < steps; t++) {
            at += channels;
            most = *at > most ? *at : most;
        }
        out[c] = most;
    }
}

#endif
