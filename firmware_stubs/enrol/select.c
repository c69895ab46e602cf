#include "enrol.h"

#define OUTLIER_MADS 4
#define OUTLIER_MIN (1 << 17) /* Q20, 0.125 */

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The lower median of x, int32 [n], which it sorts. */
static int32_t median(int32_t *x, int32_t n)
{
    for (int32_t i = 1; i < n; i++) {
        int32_t value = x[i], at = i;
        for (; at > 0 && x[at - 1] > value; at--)
            x[at] = x[at - 1];
        x[at] = value;
    }
    return x[(n - 1) >> 1];
}

static const int16_t *unit_of(const ecgkd_selection_t *s, int32_t k)
{
    return s->units + k * s->size;
}

/* Sets `total` to the sum of what is kept, and counts it. */
static void add_up(ecgkd_selection_t *s)
{
    memset(s->total, 0, (size_t)s->size * sizeof *s->total);
    s->kept_count = 0;
    for (int32_t k = 0; k < s->n; k++) {
        if (!s->kept[k])
            continue;
        s->kept_count++;
        for (int32_t i = 0; i < s->size; i++)
            s->total[i] += unit_of(s, k)[i];
    }
}

/* The cosine of window k to the sum of the others. */
static int32_t to_others(ecgkd_selection_t *s, int32_t k)
{
    const int16_t *u = unit_of(s, k);
    for (int32_t i = 0; i < s->size; i++)
        s->total[i] -= u[i];
    ecgkd_unit(s->total, s->size, s->others);
    for (int32_t i = 0; i < s->size; i++)
        s->total[i] += u[i];
    return ecgkd_cosine(u, s->others, s->size);
}

static void leave_outliers_out(const ecgkd_decision_t *d, ecgkd_selection_t *s)
{
    int32_t m = 0, n = s->kept_count;
    for (int32_t k = 0; k < s->n; k++)
        if (s->kept[k])
            s->ranks[m++] = s->cosines[k] = to_others(s, k);
    int32_t middle = median(s->ranks, n);
    for (int32_t k = 0; k < n; k++)
        s->ranks[k] = s->ranks[k] < middle ? middle - s->ranks[k] : s->ranks[k] - middle;
    int32_t margin = larger(OUTLIER_MADS * median(s->ranks, n), OUTLIER_MIN);
    int32_t least = larger(middle - margin, d->floor);
    for (int32_t k = 0; k < s->n; k++)
        s->kept[k] = s->kept[k] && s->cosines[k] >= least;
}

/* Q20, the mean cosine over all pairs of what is kept; `total` is their sum. */
static int32_t consistency(const ecgkd_selection_t *s)
{
    int64_t crosswise = 0;
    if (s->kept_count < 2)
        return 0;
    for (int32_t i = 0; i < s->size; i++)
        crosswise += (int64_t)s->total[i] * s->total[i];
    for (int32_t k = 0; k < s->n; k++)
        if (s->kept[k])
            crosswise -= ecgkd_dot(unit_of(s, k), unit_of(s, k), s->size);
    return (int32_t)ecgkd_divide(crosswise, (int64_t)s->kept_count * (s->kept_count - 1) * (1 << 10));
}

ecgkd_result_t ecgkd_select(const ecgkd_decision_t *d, ecgkd_selection_t *s, int16_t *vector)
{
    for (int32_t k = 0; k < s->n; k++) {
        s->kept[k] = ecgkd_any(unit_of(s, k), s->size);
        s->cosines[k] = 0;
    }
    add_up(s);
    if (s->kept_count >= 3) {
        leave_outliers_out(d, s);
        add_up(s);
    }
    s->consistency = consistency(s);
    ecgkd_unit(s->total, s->size, vector);
    if (s->kept_count < d->min_windows)
        return ECGKD_TOO_FEW;
    return s->consistency < d->min_consistency ? ECGKD_INCONSISTENT : ECGKD_DONE;
}

ecgkd_result_t ecgkd_age(int16_t *vector, const int16_t *anchor, const int16_t *seen, int32_t n, void *scratch)
{
    int32_t *sum = scratch;
    int16_t *moved = (int16_t *)(sum + n);
    for (int32_t i = 0; i < n; i++)
        sum[i] = ECGKD_AGE_INERTIA * vector[i] + seen[i];
    ecgkd_unit(sum, n, moved);
    if (ecgkd_cosine(moved, anchor, n) < ECGKD_AGE_BOUND)
        return ECGKD_AT_BOUND;
    memcpy(vector, moved, (size_t)n * sizeof *vector);
    return ECGKD_DONE;
}
