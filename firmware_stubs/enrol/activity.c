#include "owner.h"

/* Index of the largest sum but that of `without`, the first of equals; -1 where there is no other. */
static int32_t largest(const int32_t *sum, int32_t n, int32_t without)
{
    int32_t best = -1;
    for (int32_t k = 0; k < n; k++)
        if (k != without && (best < 0 || sum[k] > sum[best]))
            best = k;
    return best;
}

void ecgkd_activity_take(ecgkd_t *e)
{
    const ecgkd_model_t *model = e->config.model;
    ecgkd_activity_t *told = &e->activity;
    int32_t n = (int32_t)model->activity_size;
    if (n == 0)
        return;
    for (int32_t k = 0; k < n; k++)
        told->sum[k] += e->scores[k] - model->activity_zero_point;
    told->windows++;
    int32_t first = largest(told->sum, n, -1), second = largest(told->sum, n, first);
    int64_t apart = second < 0 ? 0 : told->sum[first] - told->sum[second];
    told->index = (uint16_t)first;
    told->margin = (int32_t)ecgkd_divide(apart * model->activity_scale, (int64_t)told->windows << 8);
}

const ecgkd_activity_t *ecgkd_activity(const ecgkd_t *e)
{
    return e != NULL && e->config.model != NULL && e->config.model->activity_size > 0 ? &e->activity : NULL;
}

const char *ecgkd_activity_name(const ecgkd_t *e, unsigned index)
{
    const ecgkd_model_t *model = e != NULL ? e->config.model : NULL;
    return model != NULL && index < model->activity_size && model->activity_names != NULL ?
               model->activity_names[index] :
               NULL;
}
