#include "enrol.h"

#define SCORE_Q 16
#define MIN_SIGMA (1 << 17)             /* Q24 */
#define MAX_LLR ((int64_t)64 << SCORE_Q)

/* The least of the `top` largest of x, int32 [n] within ±2^21: bisection over values. */
static int32_t least_of_largest(const int32_t *x, int32_t n, int32_t top)
{
    int32_t low = -(1 << 21), high = 1 << 21; /* at least `top` values are >= low, fewer are > high */
    while (low < high) {
        int32_t middle = low + (high - low + 1) / 2, reach = 0;
        for (int32_t i = 0; i < n; i++)
            reach += x[i] >= middle;
        if (reach >= top)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void ecgkd_cohort(const ecgkd_decision_t *d, const int16_t *u, int32_t *mean, int32_t *sigma, int32_t *near)
{
    int32_t n = d->centroids_count, top = d->top;
    *mean = *sigma = 0;
    if (n == 0)
        return;
    for (int32_t k = 0; k < n; k++) {
        const int8_t *centroid = d->centroids + k * d->size;
        int32_t sum = 0;
        for (int32_t i = 0; i < d->size; i++)
            sum += u[i] * centroid[i];
        near[k] = (int32_t)ecgkd_divide((int64_t)sum * (1 << 13), d->norms[k]);
    }
    int32_t least = least_of_largest(near, n, top), beyond = 0;
    int64_t sum = 0, squares = 0;
    for (int32_t k = 0; k < n; k++)
        if (near[k] > least) {
            sum += near[k];
            beyond++;
        }
    sum += (int64_t)(top - beyond) * least; /* equal values are equal: whichever of them count */
    *mean = (int32_t)ecgkd_divide(sum, top);
    for (int32_t k = 0; k < n; k++)
        if (near[k] > least)
            squares += (int64_t)(near[k] - *mean) * (near[k] - *mean);
    squares += (int64_t)(top - beyond) * (least - *mean) * (least - *mean);
    *sigma = ecgkd_root(((uint64_t)squares << 8) / (uint32_t)top);
    *sigma = *sigma < MIN_SIGMA ? MIN_SIGMA : *sigma;
}

/* Q16, of a unit vector against the template. near: int32 [centroids_count], scratch */
static int32_t score_of(const ecgkd_decision_t *d, const int16_t *t, const ecgkd_verdict_t *v, const int16_t *u,
                        int32_t *near)
{
    int64_t cosine = ecgkd_cosine(u, t, d->size);
    if (!d->as_norm)
        return (int32_t)ecgkd_divide(cosine, 1 << (ECGKD_COSINE_Q - SCORE_Q));
    int32_t mean, sigma;
    ecgkd_cohort(d, u, &mean, &sigma, near);
    int64_t z = ecgkd_divide((cosine - v->mean) * (1 << 20), v->sigma);
    int64_t s = ecgkd_divide((cosine - mean) * (1 << 20), sigma);
    return (int32_t)ecgkd_divide(z + s, 2);
}

void ecgkd_verdict_begin(const ecgkd_decision_t *d, const int16_t *t, ecgkd_verdict_t *v, void *scratch)
{
    memset(v, 0, sizeof *v);
    v->result = ECGKD_WINDOW_TAKEN;
    ecgkd_cohort(d, t, &v->mean, &v->sigma, scratch);
}

/* Sets the score of the fused windows. */
static ecgkd_result_t end(const ecgkd_decision_t *d, const int16_t *t, ecgkd_verdict_t *v, ecgkd_result_t result,
                          int32_t *near)
{
    int16_t *u = (int16_t *)(near + d->centroids_count);
    v->result = result;
    if (v->windows > 0) {
        ecgkd_unit(v->sum, d->size, u);
        v->score = score_of(d, t, v, u, near);
    }
    return result;
}

ecgkd_result_t ecgkd_verdict_end(const ecgkd_decision_t *d, const int16_t *t, ecgkd_verdict_t *v, void *scratch)
{
    if (v->windows == 0)
        return end(d, t, v, ECGKD_NO_DECISION, scratch);
    end(d, t, v, ECGKD_REFUSED, scratch);
    if (v->score >= d->threshold)
        v->result = ECGKD_ACCEPTED;
    return v->result;
}

/* Adds what one window says of itself; true where the evidence suffices. */
static bool weigh(const ecgkd_decision_t *d, ecgkd_verdict_t *v, int32_t score)
{
    int64_t llr = ecgkd_divide((int64_t)score * d->slope, 1 << SCORE_Q) + d->offset;
    llr = llr > MAX_LLR ? MAX_LLR : llr < -MAX_LLR ? -MAX_LLR : llr;
    v->sum_of_llrs += (int32_t)llr;
    int64_t worth = (1 << SCORE_Q) + (int64_t)(v->windows - 1) * d->rho;
    v->llr = (int32_t)ecgkd_divide((int64_t)v->sum_of_llrs * (1 << SCORE_Q), worth);
    return v->llr >= d->accept || v->llr <= d->reject;
}

ecgkd_result_t ecgkd_verdict_add(const ecgkd_decision_t *d, const int16_t *t, ecgkd_verdict_t *v,
                                 const int32_t *embedding, void *scratch)
{
    int32_t *near = scratch;
    int16_t *u = (int16_t *)(near + d->centroids_count);
    ecgkd_unit(embedding, d->size, u);
    v->looked++;
    if (ecgkd_any(u, d->size)) {
        v->windows++;
        v->last = (uint8_t)(v->looked - 1);
        for (int32_t i = 0; i < d->size; i++)
            v->sum[i] += u[i];
        if (d->calibrated && weigh(d, v, score_of(d, t, v, u, near))) {
            v->early = true;
            return end(d, t, v, v->llr >= d->accept ? ECGKD_ACCEPTED : ECGKD_REFUSED, near);
        }
    }
    return v->looked < d->max_windows ? ECGKD_WINDOW_TAKEN : ecgkd_verdict_end(d, t, v, scratch);
}
