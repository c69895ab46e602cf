#include "owner.h"
#include "signal.h"

static bool sound(const ecgkd_decision_t *d)
{
    if (d->magic != ECGKD_DECISION_MAGIC || d->abi != ECGKD_DECISION_ABI || d->embedding_space == NULL)
        return false;
    if (d->size < 1 || d->size > ECGKD_MAX_EMBEDDING || d->max_windows < 1 || d->min_windows < 2)
        return false;
    if (d->centroids_count == 0)
        return !d->as_norm;
    return d->centroids_count <= 1024 && d->top >= 1 && d->top <= d->centroids_count && d->centroids != NULL &&
           d->norms != NULL;
}

ecgkd_result_t ecgkd_init(ecgkd_t *e, const ecgkd_config_t *config)
{
    if (e == NULL || config == NULL || config->model == NULL || config->decision == NULL || config->rate == NULL ||
        config->ring == NULL || config->arena == NULL)
        return ECGKD_BAD_ARGUMENT;
    const ecgkd_model_t *model = config->model;
    const ecgkd_decision_t *d = config->decision;
    uint32_t fs = config->rate->fs;
    memset(e, 0, sizeof *e);
    if (ecgkd_model_check(model) != ECGKD_OK || model->window_size != ECGKD_WINDOW_SAMPLES ||
        model->activity_size > ECGKD_MAX_ACTIVITIES || !sound(d))
        return ECGKD_BAD_MODEL;
    if (model->embedding_size != d->size || model->embedding_space == NULL ||
        strcmp(model->embedding_space, d->embedding_space) != 0)
        return ECGKD_OTHER_MODEL;
    if (config->ring_samples <= ECGKD_WINDOW_SECONDS * fs || config->ring_samples > INT32_MAX ||
        config->arena_bytes < ECGKD_ARENA_BYTES(model->arena_size, fs) ||
        (uintptr_t)config->arena % ECGKD_ALIGNMENT != 0)
        return ECGKD_BAD_MEMORY;
    e->config = *config;
    return ECGKD_DONE;
}

uint32_t ecgkd_poor(const ecgkd_t *e)
{
    return e != NULL ? e->poor : 0;
}

/* Sets embedding, or `poor`, from the 4 s that stand at the ring's tail; gives their place back to the sensor. */
static ecgkd_result_t look(ecgkd_t *e)
{
    const ecgkd_config_t *c = &e->config;
    uint32_t native = ECGKD_WINDOW_SECONDS * (uint32_t)c->rate->fs, tail = e->tail;
    ecgkd_span_t window = { c->ring, c->ring_samples, tail };
    ecgkd_front_end(c->rate, &window, e->window, c->arena);
    e->poor = ecgkd_quality(c->rate, &window, e->window, c->gain_known, c->arena);
    tail += native;
    e->tail = tail < c->ring_samples ? tail : tail - c->ring_samples;
    if (e->poor != 0)
        return ECGKD_WINDOW_POOR;
    if (ecgkd_model_run(c->model, e->window, e->embedding, e->scores, c->arena, c->arena_bytes) != ECGKD_OK)
        return ECGKD_BAD_MODEL;
    return ECGKD_WINDOW_TAKEN;
}

ecgkd_result_t ecgkd_poll(ecgkd_t *e)
{
    if (e == NULL || e->config.model == NULL)
        return ECGKD_BAD_ARGUMENT;
    if (e->mode != ECGKD_ENROLLING && e->mode != ECGKD_VERIFYING)
        return ECGKD_BAD_STATE;
    if (e->lost) {
        ecgkd_drop_samples(e);
        return ECGKD_SAMPLES_LOST;
    }
    uint32_t head = e->head, tail = e->tail;
    uint32_t filled = head >= tail ? head - tail : head + e->config.ring_samples - tail;
    if (filled < ECGKD_WINDOW_SECONDS * (uint32_t)e->config.rate->fs)
        return ECGKD_WAITING;
    ecgkd_result_t result = look(e);
    if (result != ECGKD_WINDOW_TAKEN)
        return result;
    return e->mode == ECGKD_ENROLLING ? ecgkd_enrol_take(e) : ecgkd_verify_take(e);
}
