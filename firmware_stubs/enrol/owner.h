/* What the parts of the public interface share. */
#ifndef ECGKD_OWNER_H
#define ECGKD_OWNER_H

#include "enrol.h"

enum { ECGKD_IDLE, ECGKD_ENROLLING, ECGKD_VERIFYING, ECGKD_VERIFIED };

/* What becomes of the embedding of a usable window. */
ecgkd_result_t ecgkd_enrol_take(ecgkd_t *e);
ecgkd_result_t ecgkd_verify_take(ecgkd_t *e);
/* What becomes of its scores; docs/decision.md has the arithmetic, and ecgkd/enrolment/activity.py. */
void ecgkd_activity_take(ecgkd_t *e);

#endif
