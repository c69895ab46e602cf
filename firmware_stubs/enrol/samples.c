#include "owner.h"

#define LARGEST 16777216 /* µV, ±2^24 */

ecgkd_result_t ecgkd_push(ecgkd_t *e, int32_t microvolts)
{
    if (e == NULL || e->config.ring == NULL)
        return ECGKD_BAD_ARGUMENT;
    uint32_t head = e->head, next = head + 1 == e->config.ring_samples ? 0 : head + 1;
    if (next == e->tail) {
        e->lost = true;
        return ECGKD_SAMPLES_LOST;
    }
    if (microvolts != ECGKD_MISSING)
        microvolts = microvolts > LARGEST ? LARGEST : microvolts < -LARGEST ? -LARGEST : microvolts;
    e->config.ring[head] = microvolts;
    e->head = next;
    return ECGKD_DONE;
}

void ecgkd_drop_samples(ecgkd_t *e)
{
    if (e != NULL) {
        e->tail = e->head;
        e->lost = false;
    }
}
