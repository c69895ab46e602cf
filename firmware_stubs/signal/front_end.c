#include "signal.h"

#define LIMIT 32767
#define SAMPLES ECGKD_WINDOW_SAMPLES
#define PAD ECGKD_LOW_PASS_HALF
#define RESAMPLE_Q 14
#define LOW_PASS_Q 15
#define BOXCAR_LOG2 8
#define TRIM 20       /* samples beyond the span at either end */
#define SPAN_STEPS 64
#define MIN_SPAN 8    /* µV */
#define SPREAD_LOG2 9 /* samples lie within ±4 · 32,767, 18 bits, which are ranked by 9 and 9 */

/* Scratch, bytes: [0, 2120) resampled, int16 [30 + 1000 + 30]; after it the centred window, int16 [half + native + half].
 * Both are gone when the baseline is removed: [0, 4000) and [4000, 8000), int32 [1000] each. */

static int32_t clamp(int32_t x)
{
    return x > LIMIT ? LIMIT : x < -LIMIT ? -LIMIT : x;
}

/* x[-i] = x[i] and x[n - 1 + i] = x[n - 1 - i], i up to `reach`; x points at the first of n samples. */
static void mirror_ends(int16_t *x, int32_t n, int32_t reach)
{
    for (int32_t i = 1; i <= reach; i++) {
        x[-i] = x[i];
        x[n - 1 + i] = x[n - 1 - i];
    }
}

/* Subtracts the mean, rounded half up. out: int16 [native] */
static void centre(const ecgkd_span_t *window, uint32_t native, int16_t *out)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < native; i++)
        total += ecgkd_sample(window, i);
    int64_t twice = 2 * total + native, width = 2 * (int64_t)native;
    int64_t mean = twice / width - (twice % width < 0);
    for (uint32_t i = 0; i < native; i++)
        out[i] = (int16_t)clamp((int32_t)(ecgkd_sample(window, i) - mean));
}

/* in: int16 [half + native + half], mirrored, pointing at its first sample; out: int16 [1000] */
static void resample(const ecgkd_rate_t *rate, const int16_t *in, int16_t *out)
{
    int32_t taps = rate->taps, phases = rate->phases, step = rate->fs * phases / ECGKD_MODEL_FS, position = 0;
    for (int32_t k = 0; k < SAMPLES; k++, position += step) {
        const int16_t *x = in + position / phases - taps / 2 + 1;
        const int16_t *tap = rate->table + position % phases * taps;
        int32_t sum = 1 << (RESAMPLE_Q - 1);
        for (int32_t j = 0; j < taps; j++)
            sum += tap[j] * x[j];
        out[k] = (int16_t)clamp(sum >> RESAMPLE_Q);
    }
}

/* in: int16 [30 + 1000 + 30], mirrored, pointing at its first sample; out: int32 [1000] */
static void low_pass(const int16_t *in, int32_t *out)
{
    for (int32_t k = 0; k < SAMPLES; k++) {
        const int16_t *x = in + k - PAD;
        int32_t sum = 1 << (LOW_PASS_Q - 1);
        for (int32_t j = 0; j < ECGKD_LOW_PASS_TAPS; j++)
            sum += ecgkd_low_pass_taps[j] * x[j];
        out[k] = clamp(sum >> LOW_PASS_Q);
    }
}

static int32_t mirrored(const int32_t *x, int32_t i)
{
    return x[i < 0 ? -i : i < SAMPLES ? i : 2 * (SAMPLES - 1) - i];
}

/* Mean of 256 samples, `before` of them ahead of each sample, put into `out` or, where `out` is null, taken from
 * `from`. in, out, from: int32 [1000] */
static void boxcar(const int32_t *in, int32_t before, int32_t *out, int32_t *from)
{
    const int32_t width = 1 << BOXCAR_LOG2;
    int32_t total = width / 2;
    for (int32_t i = -before; i < width - before; i++)
        total += mirrored(in, i);
    for (int32_t k = 0; k < SAMPLES; k++) {
        int32_t mean = total >> BOXCAR_LOG2;
        if (out != NULL)
            out[k] = mean;
        else
            from[k] -= mean;
        total += mirrored(in, k + width - before) - mirrored(in, k - before);
    }
}

static void remove_baseline(int32_t *x, int32_t *slow)
{
    for (int pass = 0; pass < 2; pass++) {
        boxcar(x, 1 << (BOXCAR_LOG2 - 1), slow, NULL);
        boxcar(slow, (1 << (BOXCAR_LOG2 - 1)) - 1, NULL, x);
    }
}

static uint32_t unsigned18(int32_t x)
{
    return (uint32_t)(x + (1 << (2 * SPREAD_LOG2 - 1)));
}

/* Index of the count in which the rank-th stands, from 0; `rank` becomes the rank inside it. */
static uint32_t find(const uint16_t *count, uint32_t *rank)
{
    uint32_t i = 0;
    while (*rank >= count[i])
        *rank -= count[i++];
    return i;
}

/* The rank-th smallest of x, from 0. coarse: uint16 [512], how many share the upper bits; fine: uint16 [512] */
static int32_t ranked(const int32_t *x, uint32_t rank, const uint16_t *coarse, uint16_t *fine)
{
    const uint32_t mask = (1u << SPREAD_LOG2) - 1;
    uint32_t upper = find(coarse, &rank);
    memset(fine, 0, sizeof(*fine) << SPREAD_LOG2);
    for (int32_t i = 0; i < SAMPLES; i++)
        if (unsigned18(x[i]) >> SPREAD_LOG2 == upper)
            fine[unsigned18(x[i]) & mask]++;
    return (int32_t)(upper << SPREAD_LOG2 | find(fine, &rank)) - (1 << (2 * SPREAD_LOG2 - 1));
}

/* counts: uint16 [1024] */
static void scale(const int32_t *x, int8_t *out, uint16_t *counts)
{
    uint16_t *fine = counts + (1 << SPREAD_LOG2);
    memset(counts, 0, sizeof(*counts) << SPREAD_LOG2);
    for (int32_t i = 0; i < SAMPLES; i++)
        counts[unsigned18(x[i]) >> SPREAD_LOG2]++;
    int32_t span = ranked(x, SAMPLES - TRIM, counts, fine) - ranked(x, TRIM - 1, counts, fine);
    int32_t median = ranked(x, SAMPLES / 2 - 1, counts, fine);
    for (int32_t i = 0; i < SAMPLES; i++) {
        int32_t away = x[i] - median, size = 0;
        if (span >= MIN_SPAN)
            size = ((away < 0 ? -away : away) * SPAN_STEPS + span / 2) / span;
        size = size > 127 ? 127 : size;
        out[i] = (int8_t)(away < 0 ? -size : size);
    }
}

void ecgkd_front_end(const ecgkd_rate_t *rate, const ecgkd_span_t *window, int8_t *out, void *scratch)
{
    int32_t native = ECGKD_WINDOW_SECONDS * rate->fs, half = rate->taps / 2;
    int16_t *even = (int16_t *)scratch + PAD, *raw = even + SAMPLES + PAD + half;
    int32_t *slow = scratch, *x = slow + SAMPLES;
    if (rate->fs == ECGKD_MODEL_FS) {
        centre(window, SAMPLES, even);
    } else {
        centre(window, (uint32_t)native, raw);
        mirror_ends(raw, native, half);
        resample(rate, raw, even);
    }
    mirror_ends(even, SAMPLES, PAD);
    low_pass(even, x); /* overwrites the centred window */
    remove_baseline(x, slow);
    scale(x, out, (uint16_t *)slow);
}
