#include "owner.h"

ecgkd_result_t ecgkd_enrol_begin(ecgkd_t *e)
{
    if (e == NULL || e->config.model == NULL)
        return ECGKD_BAD_ARGUMENT;
    memset(&e->now.enrolment, 0, sizeof e->now.enrolment);
    memset(&e->activity, 0, sizeof e->activity);
    e->mode = ECGKD_ENROLLING;
    e->placement = 0;
    ecgkd_drop_samples(e);
    return ECGKD_DONE;
}

ecgkd_result_t ecgkd_next_placement(ecgkd_t *e)
{
    if (e == NULL || e->mode != ECGKD_ENROLLING || e->placement == UINT8_MAX)
        return ECGKD_BAD_STATE;
    e->placement++;
    ecgkd_drop_samples(e);
    return ECGKD_DONE;
}

ecgkd_result_t ecgkd_enrol_take(ecgkd_t *e)
{
    ecgkd_enrolment_t *now = &e->now.enrolment;
    if (now->usable == ECGKD_MAX_ENROL_WINDOWS)
        return ECGKD_WINDOWS_FULL;
    now->placement[now->usable] = e->placement;
    memcpy(now->embeddings[now->usable], e->embedding, e->config.decision->size);
    now->usable++;
    ecgkd_activity_take(e);
    return now->usable < ECGKD_MAX_ENROL_WINDOWS ? ECGKD_WINDOW_TAKEN : ECGKD_WINDOWS_FULL;
}

/* How many placements have a window that was kept: they are numbered in order. */
static uint16_t placements(const ecgkd_enrolment_t *now, const uint8_t *kept)
{
    uint16_t count = 0;
    int32_t before = -1;
    for (int32_t k = 0; k < now->usable; k++)
        if (kept[k] && now->placement[k] != before) {
            before = now->placement[k];
            count++;
        }
    return count;
}

ecgkd_result_t ecgkd_enrol_finish(ecgkd_t *e, ecgkd_template_t *owner)
{
    if (e == NULL || owner == NULL)
        return ECGKD_BAD_ARGUMENT;
    if (e->mode != ECGKD_ENROLLING)
        return ECGKD_BAD_STATE;
    const ecgkd_decision_t *d = e->config.decision;
    ecgkd_enrolment_t *now = &e->now.enrolment;
    int32_t n = now->usable, size = d->size;
    ecgkd_selection_t s = { .n = n, .size = size };
    s.total = e->config.arena;
    s.cosines = s.total + size;
    s.ranks = s.cosines + n;
    s.others = (int16_t *)(s.ranks + n);
    int16_t *units = s.others + size;
    s.units = units;
    s.kept = (uint8_t *)(units + n * size);
    for (int32_t k = 0; k < n; k++) {
        ecgkd_embedding_q15(now->embeddings[k], size, s.total);
        ecgkd_unit(s.total, size, units + k * size);
    }
    ecgkd_result_t result = ecgkd_select(d, &s, s.others);
    now->kept = (uint16_t)s.kept_count;
    now->placements = placements(now, s.kept);
    now->consistency = s.consistency;
    if (result != ECGKD_DONE)
        return result;
    memset(owner, 0, sizeof *owner);
    owner->size = d->size;
    owner->windows = now->kept;
    owner->placements = now->placements;
    memcpy(owner->space, d->space, sizeof owner->space);
    memcpy(owner->vector, s.others, (size_t)size * sizeof *owner->vector);
    memcpy(owner->anchor, s.others, (size_t)size * sizeof *owner->anchor);
    return ECGKD_DONE;
}

const ecgkd_enrolment_t *ecgkd_enrolment(const ecgkd_t *e)
{
    return e != NULL && e->mode == ECGKD_ENROLLING ? &e->now.enrolment : NULL;
}
