#include "ecgkd.h"

const char *ecgkd_result_text(ecgkd_result_t result)
{
    static const char *const texts[ECGKD_RESULT_COUNT] = {
        [ECGKD_DONE] = "done",
        [ECGKD_WAITING] = "waiting for samples",
        [ECGKD_WINDOW_POOR] = "a window of poor quality was left out",
        [ECGKD_WINDOW_TAKEN] = "a window was taken",
        [ECGKD_SAMPLES_LOST] = "samples were lost: poll more often or take a larger ring",
        [ECGKD_WINDOWS_FULL] = "enough windows: finish the enrolment",
        [ECGKD_ACCEPTED] = "accepted",
        [ECGKD_REFUSED] = "refused",
        [ECGKD_NO_DECISION] = "no decision: no usable window",
        [ECGKD_TOO_FEW] = "too few usable windows",
        [ECGKD_INCONSISTENT] = "the windows do not look like one heart",
        [ECGKD_NOT_UPDATED] = "not updated: not confirmed, or too little evidence",
        [ECGKD_AT_BOUND] = "not updated: too far from what was enrolled",
        [ECGKD_BAD_ARGUMENT] = "an argument is missing or out of its range",
        [ECGKD_BAD_MODEL] = "a network or decision that this library cannot run",
        [ECGKD_OTHER_MODEL] = "network, decision and template are not of one model",
        [ECGKD_BAD_MEMORY] = "memory too small or not aligned",
        [ECGKD_BAD_STATE] = "nothing was begun that this could go on with",
        [ECGKD_DAMAGED] = "not a template, or damaged",
        [ECGKD_OTHER_VERSION] = "a template of another version",
        [ECGKD_OTHER_KEY] = "a template of another device, or damaged",
    };
    return (unsigned)result < ECGKD_RESULT_COUNT ? texts[result] : "unknown";
}
