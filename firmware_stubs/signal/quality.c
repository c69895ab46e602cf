#include "signal.h"

#define SAMPLES ECGKD_WINDOW_SAMPLES
#define MIN_RANGE_UV 50
#define STEP_UV 2000
#define FIRST_LAG 83 /* 0.33 s */
#define LAST_LAG 375 /* 1.5 s */
#define LEAST_SQUARED 625 /* periodicity of 25 %, squared, in ten-thousandths */
#define FIRST_WAVE 20 /* 5 Hz in steps of 0.25 Hz */
#define MIDDLE_WAVE 60
#define LAST_WAVE 159

static int32_t size_of(int32_t x)
{
    return x < 0 ? -x : x;
}

/* How many of n samples stand in runs of three or more at `rail`. */
static uint32_t clipped_at(const ecgkd_span_t *window, uint32_t n, int32_t rail)
{
    uint32_t clipped = 0, run = 0;
    for (uint32_t i = 0; i < n; i++) {
        run = ecgkd_sample(window, i) == rail ? run + 1 : 0;
        clipped += run == 3 ? 3 : run > 3;
    }
    return clipped;
}

/* Whether the means of the 200 ms before and after any 40 ms differ by more than 2 mV. */
static bool jumps(const ecgkd_span_t *window, uint32_t n, uint32_t fs)
{
    uint32_t width = fs / 5, ahead = width + fs / 25;
    int64_t change = 0, most = (int64_t)STEP_UV * width;
    for (uint32_t i = 0; i < width; i++)
        change += (int64_t)ecgkd_sample(window, i + ahead) - ecgkd_sample(window, i);
    for (uint32_t i = 0;; i++) {
        if (change > most || change < -most)
            return true;
        if (i + ahead + width == n)
            return false;
        change += (int64_t)ecgkd_sample(window, i + ahead + width) - ecgkd_sample(window, i + ahead);
        change -= (int64_t)ecgkd_sample(window, i + width) - ecgkd_sample(window, i);
    }
}

static uint32_t of_samples(const ecgkd_rate_t *rate, const ecgkd_span_t *window, bool gain_known)
{
    uint32_t n = ECGKD_WINDOW_SECONDS * (uint32_t)rate->fs, reasons = 0, run = 0, longest = 0;
    int32_t before = ecgkd_sample(window, 0), low = before, high = before, still = gain_known ? 1 : 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = window->start + i;
        if (window->ring[at < window->length ? at : at - window->length] == ECGKD_MISSING)
            reasons |= ECGKD_POOR_MISSING;
        int32_t x = ecgkd_sample(window, i);
        run = i > 0 && size_of(x - before) <= still ? run + 1 : 0;
        longest = run > longest ? run : longest;
        low = x < low ? x : low;
        high = x > high ? x : high;
        before = x;
    }
    if (longest * 10 > 4u * rate->fs || (gain_known && high - low < MIN_RANGE_UV))
        reasons |= ECGKD_POOR_FLAT;
    uint32_t top = clipped_at(window, n, high), bottom = clipped_at(window, n, low);
    if (high > low && (top > bottom ? top : bottom) * 1000 > 5 * n)
        reasons |= ECGKD_POOR_CLIPPED;
    if (gain_known && jumps(window, n, rate->fs))
        reasons |= ECGKD_POOR_STEP;
    return reasons;
}

static bool no_beats(const int8_t *q)
{
    int32_t total = 0;
    for (int32_t i = 0; i < SAMPLES; i++)
        total += q[i];
    int32_t twice = 2 * total + SAMPLES, mean = twice / (2 * SAMPLES) - (twice % (2 * SAMPLES) < 0);
    int64_t fourth = 0, square = 0;
    for (int32_t i = 0; i < SAMPLES; i++) {
        int64_t two = (q[i] - mean) * (q[i] - mean);
        square += two;
        fourth += two * two;
    }
    return 10 * SAMPLES * fourth < 35 * square * square;
}

/* A wave of k turns in 1,000 samples meets the window folded twice: cosines repeat themselves at 1000 - t and, with the
 * sign of (-1)^k, at 500 - t; sines with the other signs. */
typedef struct folded {
    int16_t cosine[2][251]; /* [k odd][t] */
    int16_t sine[2][251];
} folded_t;

static void fold(const int8_t *q, folded_t *f)
{
    for (int32_t t = 0; t <= 250; t++) {
        int32_t a = t == 0 ? q[0] : q[t] + q[1000 - t], b = t == 0 ? q[500] : q[500 - t] + q[500 + t];
        int32_t c = t == 0 ? 0 : q[t] - q[1000 - t], d = t == 0 ? 0 : q[500 - t] - q[500 + t];
        bool middle = t == 250; /* its own mirror image */
        f->cosine[0][t] = (int16_t)(middle ? a : a + b);
        f->cosine[1][t] = (int16_t)(middle ? 0 : a - b);
        f->sine[0][t] = (int16_t)(middle ? 0 : c - d);
        f->sine[1][t] = (int16_t)(middle ? c : c + d);
    }
}

static int64_t power_of(const folded_t *f, int32_t k)
{
    const int16_t *cosine = f->cosine[k & 1], *sine = f->sine[k & 1];
    int32_t real = 0, imaginary = 0, at = 0;
    for (int32_t t = 0; t <= 250; t++) {
        real += cosine[t] * ecgkd_sine[at + 250];
        imaginary += sine[t] * ecgkd_sine[at];
        at += k;
        at -= at < ECGKD_WAVE_PERIOD ? 0 : ECGKD_WAVE_PERIOD;
    }
    real >>= 8;
    imaginary >>= 8;
    return (int64_t)real * real + (int64_t)imaginary * imaginary;
}

static bool power_elsewhere(const int8_t *q, folded_t *f)
{
    int64_t low = 0, whole = 0;
    fold(q, f);
    for (int32_t k = FIRST_WAVE; k <= LAST_WAVE; k++) {
        int64_t power = power_of(f, k);
        whole += power;
        low += k < MIDDLE_WAVE ? power : 0;
    }
    return 100 * low < 30 * whole || 100 * low > 95 * whole;
}

static int32_t product_at(const int8_t *q, int32_t lag)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < SAMPLES - lag; i++)
        sum += q[i] * q[i + lag];
    return sum;
}

static bool nothing_repeats(const int8_t *q)
{
    int64_t head = 0, tail = 0; /* energies of the samples that lie under each other */
    for (int32_t i = 0; i < SAMPLES; i++) {
        head += i < SAMPLES - FIRST_LAG ? q[i] * q[i] : 0;
        tail += i >= FIRST_LAG ? q[i] * q[i] : 0;
    }
    for (int32_t lag = FIRST_LAG; lag <= LAST_LAG; lag++) {
        int64_t product = product_at(q, lag), least = head * tail / 10000;
        if (product > 0 && product * product >= LEAST_SQUARED * (least > 1 ? least : 1))
            return false;
        head -= q[SAMPLES - 1 - lag] * q[SAMPLES - 1 - lag];
        tail -= q[lag] * q[lag];
    }
    return true;
}

uint32_t ecgkd_quality(const ecgkd_rate_t *rate, const ecgkd_span_t *window, const int8_t *q, bool gain_known,
                       void *scratch)
{
    uint32_t reasons = of_samples(rate, window, gain_known);
    reasons |= no_beats(q) ? ECGKD_POOR_NO_BEATS : 0;
    reasons |= power_elsewhere(q, scratch) ? ECGKD_POOR_POWER : 0;
    reasons |= nothing_repeats(q) ? ECGKD_POOR_NO_RHYTHM : 0;
    return reasons;
}
