#include "owner.h"

ecgkd_result_t ecgkd_verify_begin(ecgkd_t *e, const ecgkd_template_t *owner)
{
    if (e == NULL || owner == NULL || e->config.model == NULL)
        return ECGKD_BAD_ARGUMENT;
    const ecgkd_decision_t *d = e->config.decision;
    if (owner->size != d->size || memcmp(owner->space, d->space, sizeof d->space) != 0)
        return ECGKD_OTHER_MODEL;
    ecgkd_verdict_begin(d, owner->vector, &e->now.verdict, e->config.arena);
    memset(&e->activity, 0, sizeof e->activity);
    e->claimed = owner;
    e->mode = ECGKD_VERIFYING;
    ecgkd_drop_samples(e);
    return ECGKD_DONE;
}

static ecgkd_result_t verified(ecgkd_t *e, ecgkd_result_t result)
{
    if (result != ECGKD_WINDOW_TAKEN)
        e->mode = ECGKD_VERIFIED;
    return result;
}

ecgkd_result_t ecgkd_verify_take(ecgkd_t *e)
{
    const ecgkd_decision_t *d = e->config.decision;
    int32_t *embedding = e->config.arena;
    ecgkd_activity_take(e);
    ecgkd_embedding_q15(e->embedding, d->size, embedding);
    return verified(e, ecgkd_verdict_add(d, e->claimed->vector, &e->now.verdict, embedding, embedding + d->size));
}

ecgkd_result_t ecgkd_verify_finish(ecgkd_t *e)
{
    if (e == NULL || e->mode != ECGKD_VERIFYING)
        return ECGKD_BAD_STATE;
    return verified(e, ecgkd_verdict_end(e->config.decision, e->claimed->vector, &e->now.verdict, e->config.arena));
}

const ecgkd_verdict_t *ecgkd_verdict(const ecgkd_t *e)
{
    return e != NULL && (e->mode == ECGKD_VERIFYING || e->mode == ECGKD_VERIFIED) ? &e->now.verdict : NULL;
}

ecgkd_result_t ecgkd_update(ecgkd_t *e, ecgkd_template_t *owner, bool confirmed)
{
    if (e == NULL || owner == NULL)
        return ECGKD_BAD_ARGUMENT;
    if (e->mode != ECGKD_VERIFIED || e->claimed != owner)
        return ECGKD_BAD_STATE;
    const ecgkd_decision_t *d = e->config.decision;
    const ecgkd_verdict_t *v = &e->now.verdict;
    if (!confirmed || !d->calibrated || v->result != ECGKD_ACCEPTED || v->llr < d->update)
        return ECGKD_NOT_UPDATED;
    int32_t *sum = e->config.arena;
    int16_t *seen = (int16_t *)(sum + 2 * d->size);
    ecgkd_unit(v->sum, d->size, seen);
    ecgkd_result_t result = ecgkd_age(owner->vector, owner->anchor, seen, d->size, sum);
    if (result == ECGKD_DONE && owner->updates < UINT16_MAX)
        owner->updates++;
    e->mode = ECGKD_IDLE; /* one verification, one step */
    return result;
}
