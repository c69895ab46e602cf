/* From the sensor's samples to the network's input: the front end and the quality gate, window by window.
 *
 * docs/front-end.md and docs/quality.md define every step; the bits are those of ecgkd.signal in Python. Nothing here
 * keeps state, and `scratch` may be any 8-byte aligned memory of ECGKD_SIGNAL_SCRATCH(fs) bytes. */
#ifndef ECGKD_SIGNAL_H
#define ECGKD_SIGNAL_H

#include "ecgkd.h"

#define ECGKD_LOW_PASS_TAPS 61
#define ECGKD_LOW_PASS_HALF 30
#define ECGKD_WAVE_PERIOD 1000 /* steps of a turn; four quarters and one more stand in the table */

extern const int16_t ecgkd_low_pass_taps[ECGKD_LOW_PASS_TAPS];     /* Q15 */
extern const int16_t ecgkd_sine[ECGKD_WAVE_PERIOD + 250];          /* Q10 */

/* One window that lies in a ring: sample i is ring[(start + i) mod length], µV or ECGKD_MISSING. */
typedef struct ecgkd_span {
    const int32_t *ring;
    uint32_t length;
    uint32_t start;
} ecgkd_span_t;

/* Sample i of the window, i < length of the ring; a missing one counts as 0. */
static inline int32_t ecgkd_sample(const ecgkd_span_t *window, uint32_t i)
{
    uint32_t at = window->start + i;
    int32_t x = window->ring[at < window->length ? at : at - window->length];
    return x == ECGKD_MISSING ? 0 : x;
}

/* window: 4 s in int32 µV; out: int8 [1000], the network's input. */
void ecgkd_front_end(const ecgkd_rate_t *rate, const ecgkd_span_t *window, int8_t *out, void *scratch);

/* Returns why the window is refused, ECGKD_POOR_* bits, 0 where it is usable.
 * window: as above; q: what ecgkd_front_end made of it, int8 [1000]; thresholds in µV only where gain_known. */
uint32_t ecgkd_quality(const ecgkd_rate_t *rate, const ecgkd_span_t *window, const int8_t *q, bool gain_known,
                       void *scratch);

#endif
