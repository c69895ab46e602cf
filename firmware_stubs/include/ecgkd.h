/* ecgkd: is the wearer the owner? Samples of one ECG lead in, a verdict out.
 *
 *     static int32_t ring[ECGKD_RING_SAMPLES(512)];
 *     static uint8_t arena[ECGKD_ARENA_BYTES(MODEL_ARENA_BYTES, 512)] ECGKD_ALIGNED;
 *     static ecgkd_t watch;
 *     static ecgkd_template_t owner;
 *
 *     ecgkd_init(&watch, &(ecgkd_config_t){ .model = &model, .decision = &decision, .rate = &ecgkd_rate_512,
 *         .gain_known = true, .ring = ring, .ring_samples = ECGKD_RING_SAMPLES(512), .arena = arena,
 *         .arena_bytes = sizeof arena });
 *     sensor interrupt:   ecgkd_push(&watch, microvolts);
 *     once, to enrol:     ecgkd_enrol_begin(&watch);
 *                         half a minute of ecgkd_poll(&watch); ecgkd_next_placement(&watch); half a minute more
 *                         ecgkd_enrol_finish(&watch, &owner);
 *     to check:           ecgkd_verify_begin(&watch, &owner);
 *                         do result = ecgkd_poll(&watch); while (result < ECGKD_ACCEPTED);
 *
 * Integer arithmetic alone, the same bits as `ecgkd enroll` and `ecgkd verify` (docs/front-end.md, quality.md,
 * decision.md); no heap, no floating point, all memory is the caller's. docs/firmware-api.md tells the rest. */
#ifndef ECGKD_H
#define ECGKD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ecgkd_nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sizes; the same when the library and when the application is compiled ---- */

#ifndef ECGKD_MAX_EMBEDDING
#define ECGKD_MAX_EMBEDDING 192 /* components, at most 1,024 */
#endif
#ifndef ECGKD_MAX_ENROL_WINDOWS
#define ECGKD_MAX_ENROL_WINDOWS 16 /* 64 s of usable signal, at most 255 */
#endif
#ifndef ECGKD_MAX_ACTIVITIES
#define ECGKD_MAX_ACTIVITIES 16 /* that a network tells apart */
#endif

#define ECGKD_MODEL_FS 250
#define ECGKD_WINDOW_SECONDS 4
#define ECGKD_WINDOW_SAMPLES 1000 /* of the network's input: one lead */
#define ECGKD_LARGER(a, b) ((a) > (b) ? (a) : (b))

/* Samples of the ring at `fs` Hz: a window, and a quarter of a second while it is looked at. */
#define ECGKD_RING_SAMPLES(fs) (ECGKD_WINDOW_SECONDS * (fs) + (fs) / 4 + 1)
/* Bytes that the front end, the quality gate and the decision need at `fs` Hz, one after the other. */
#define ECGKD_SIGNAL_SCRATCH(fs) ECGKD_LARGER(8 * ECGKD_WINDOW_SAMPLES, 8 * (fs) + 2248)
#define ECGKD_ENROL_SCRATCH                                                                                            \
    ECGKD_LARGER(ECGKD_MAX_ENROL_WINDOWS * (2 * ECGKD_MAX_EMBEDDING + 9) + 6 * ECGKD_MAX_EMBEDDING,                    \
                 10 * ECGKD_MAX_EMBEDDING + 4096)
#define ECGKD_SCRATCH_BYTES(fs) ECGKD_LARGER(ECGKD_SIGNAL_SCRATCH(fs), ECGKD_ENROL_SCRATCH)
/* Bytes of the arena, which the network and all of the above share: `model_arena` is what the generated header says. */
#define ECGKD_ARENA_BYTES(model_arena, fs) ECGKD_LARGER(model_arena, ECGKD_SCRATCH_BYTES(fs))

/* ---- what functions answer ---- */

typedef enum ecgkd_result {
    ECGKD_DONE = 0,
    /* of ecgkd_poll */
    ECGKD_WAITING,      /* fewer than 4 s have come */
    ECGKD_WINDOW_POOR,  /* a window was left out: ecgkd_poor says why */
    ECGKD_WINDOW_TAKEN, /* a window was taken, more are wanted */
    ECGKD_SAMPLES_LOST, /* they came faster than polled: what had gathered is dropped, the next window begins afresh */
    ECGKD_WINDOWS_FULL, /* enrolment holds ECGKD_MAX_ENROL_WINDOWS: finish it */
    /* verdicts: of ecgkd_poll and ecgkd_verify_finish */
    ECGKD_ACCEPTED,
    ECGKD_REFUSED,
    ECGKD_NO_DECISION, /* no usable window */
    /* of ecgkd_enrol_finish */
    ECGKD_TOO_FEW,      /* usable windows: go on, or begin again */
    ECGKD_INCONSISTENT, /* the windows do not look like one heart: begin again, at rest */
    /* of ecgkd_update */
    ECGKD_NOT_UPDATED, /* not confirmed, or too little evidence: the template stays as it is */
    ECGKD_AT_BOUND,    /* it would drift too far from what was enrolled: enrol again some day */
    /* errors */
    ECGKD_BAD_ARGUMENT, /* a pointer is missing or a number out of its range */
    ECGKD_BAD_MODEL,    /* a network or decision that this library cannot run */
    ECGKD_OTHER_MODEL,  /* network, decision and template are not of one model */
    ECGKD_BAD_MEMORY,   /* ring or arena too small, arena not aligned to ECGKD_ALIGNMENT */
    ECGKD_BAD_STATE,    /* nothing was begun that this could go on with */
    ECGKD_DAMAGED,      /* a stored template is cut short, changed, or not one */
    ECGKD_OTHER_VERSION,/* a stored template of a newer library */
    ECGKD_OTHER_KEY,    /* a stored template of another device, or a key where none was used */
    ECGKD_RESULT_COUNT
} ecgkd_result_t;

/* Returns a static text, also for a number that is no result. */
const char *ecgkd_result_text(ecgkd_result_t result);

/* Why a window is left out; bits, any of them together. */
enum {
    ECGKD_POOR_MISSING = 1 << 0,   /* samples are missing */
    ECGKD_POOR_FLAT = 1 << 1,      /* is the electrode touched? */
    ECGKD_POOR_CLIPPED = 1 << 2,   /* the sensor is at its rail */
    ECGKD_POOR_STEP = 1 << 3,      /* the electrode moved */
    ECGKD_POOR_NO_BEATS = 1 << 4,  /* none stands out of the noise */
    ECGKD_POOR_POWER = 1 << 5,     /* not where an ECG has it: muscles or movement */
    ECGKD_POOR_NO_RHYTHM = 1 << 6, /* nothing repeats at a heart rate */
    ECGKD_POOR_COUNT = 7
};

/* ---- constants, from generated files ---- */

/* How the front end resamples from one sampling rate. */
typedef struct ecgkd_rate {
    uint16_t fs;          /* Hz */
    uint16_t phases;      /* 1 to 125 */
    uint16_t taps;        /* of each phase, even, at most 64 */
    const int16_t *table; /* Q14 [phases][taps]; NULL at 250 Hz */
} ecgkd_rate_t;
extern const ecgkd_rate_t ecgkd_rate_100, ecgkd_rate_125, ecgkd_rate_128, ecgkd_rate_200, ecgkd_rate_250,
    ecgkd_rate_256, ecgkd_rate_300, ecgkd_rate_360, ecgkd_rate_500, ecgkd_rate_512, ecgkd_rate_1000;
/* Returns that of `fs` Hz, NULL where there is none; links all tables (20 kB), name one above to link one. */
const ecgkd_rate_t *ecgkd_rate_of(uint32_t fs);

#define ECGKD_DECISION_MAGIC 0x65634b54u /* "ecKT" */
#define ECGKD_DECISION_ABI 1u            /* of the struct that follows */

/* What decisions rest on: generated from the model's contract (docs/decision.md). */
typedef struct ecgkd_decision {
    uint32_t magic, abi;         /* ECGKD_DECISION_MAGIC, ECGKD_DECISION_ABI */
    const char *embedding_space; /* hex digits, those of the network */
    uint8_t space[16];           /* the same as bytes, as templates hold it */
    uint16_t size;               /* components of an embedding */
    uint8_t as_norm;             /* 1: scores are normalised by the cohort, 0: cosines */
    uint8_t calibrated;          /* 1: log-likelihood ratios, hence early decisions */
    uint8_t max_windows;         /* of a verification, 1.. */
    uint8_t min_windows;         /* of a template, 2.. */
    uint16_t centroids_count;    /* 0 to 1,024 */
    uint16_t top;                /* how many of the closest count, 1 to centroids_count */
    const int8_t *centroids;     /* [count][size], -127..127 */
    const int32_t *norms;        /* [count] Q8 */
    int32_t threshold, slope, offset, rho, accept, reject; /* Q16 */
    int32_t update;              /* Q16, least log-likelihood ratio for which a template may age */
    int32_t floor, min_consistency; /* Q20 */
} ecgkd_decision_t;

/* ---- what is kept ---- */

/* The owner. Store it with ecgkd_template_store, never as it lies in memory. */
typedef struct ecgkd_template {
    uint16_t size;       /* components */
    uint16_t windows;    /* it was enrolled from */
    uint16_t placements; /* of the electrodes, among these windows */
    uint16_t updates;    /* since then */
    uint8_t space[16];   /* id of the embedding space */
    int16_t vector[ECGKD_MAX_EMBEDDING]; /* norm 2^15 */
    int16_t anchor[ECGKD_MAX_EMBEDDING]; /* vector as it was enrolled */
} ecgkd_template_t;

/* A verification as far as it has gone. */
typedef struct ecgkd_verdict {
    ecgkd_result_t result; /* ECGKD_WINDOW_TAKEN while it goes on */
    bool early;            /* by log-likelihood ratio before the last window */
    uint8_t windows;       /* taken into account */
    uint8_t looked;        /* at, one whose embedding is zero counts too */
    uint8_t last;          /* index of the last one that was taken into account */
    int32_t score;         /* Q16, of the fused windows; once there is a verdict */
    int32_t llr;           /* Q16, natural logarithm */
    int32_t sum_of_llrs;
    int32_t mean, sigma; /* Q20, Q24: of the closest centroids' cosines to the template */
    int32_t sum[ECGKD_MAX_EMBEDDING];
} ecgkd_verdict_t;

/* An enrolment as far as it has gone. */
typedef struct ecgkd_enrolment {
    uint16_t usable;     /* windows after the quality gate */
    uint16_t kept;       /* of these; once it is finished, as the next two */
    uint16_t placements; /* among those kept: with one only, ask for a second */
    int32_t consistency; /* Q20, mean cosine over all pairs */
    uint8_t placement[ECGKD_MAX_ENROL_WINDOWS];
    int8_t embeddings[ECGKD_MAX_ENROL_WINDOWS][ECGKD_MAX_EMBEDDING];
} ecgkd_enrolment_t;

/* What the wearer does, as far as the windows tell; the verdict does not depend on it. */
typedef struct ecgkd_activity {
    uint16_t index;   /* of the likeliest, the first of equals */
    uint16_t windows; /* that tell it; 0: none has come yet */
    int32_t margin;   /* Q16: natural logarithm of its odds against the second likeliest, 0 where there is none */
    int32_t sum[ECGKD_MAX_ACTIVITIES]; /* of scores, in steps of the model's activity_scale */
} ecgkd_activity_t;

typedef struct ecgkd_config {
    const ecgkd_model_t *model;
    const ecgkd_decision_t *decision;
    const ecgkd_rate_t *rate; /* of the sensor */
    bool gain_known;          /* whether samples are really µV: else amplitudes are not judged */
    int32_t *ring;            /* int32 [ring_samples], ECGKD_RING_SAMPLES(fs) */
    uint32_t ring_samples;
    void *arena; /* aligned to ECGKD_ALIGNMENT */
    size_t arena_bytes;
} ecgkd_config_t;

/* The whole state; its fields are nobody's but the library's. */
typedef struct ecgkd {
    int8_t window[ECGKD_WINDOW_SAMPLES];
    int8_t embedding[ECGKD_MAX_EMBEDDING];
    int8_t scores[ECGKD_MAX_ACTIVITIES];
    ecgkd_config_t config;
    volatile uint32_t head; /* of the ring; written by ecgkd_push alone */
    volatile uint32_t tail; /* written by everybody else */
    volatile bool lost;
    uint8_t mode;
    uint8_t placement;
    uint32_t poor;
    const ecgkd_template_t *claimed;
    ecgkd_activity_t activity;
    union {
        ecgkd_verdict_t verdict;
        ecgkd_enrolment_t enrolment;
    } now;
} ecgkd_t;

/* ---- functions ---- */

/* Prepares `e`; the memory that `config` names is its own from now on. */
ecgkd_result_t ecgkd_init(ecgkd_t *e, const ecgkd_config_t *config);

#define ECGKD_MISSING INT32_MIN /* push it for each sample that the sensor failed to give */

/* Hands over one sample in µV (beyond ±2^24 it is taken for that). Short; may run in an interrupt of the core that
 * polls, or in any place that does not run while another call on `e` does. ECGKD_SAMPLES_LOST if the ring is full. */
ecgkd_result_t ecgkd_push(ecgkd_t *e, int32_t microvolts);

/* Looks at the next 4 s if they are complete: quality gate, network, decision. Takes as long as the network does. */
ecgkd_result_t ecgkd_poll(ecgkd_t *e);

/* Returns why the last window was left out, ECGKD_POOR_* bits; 0 if it was taken. */
uint32_t ecgkd_poor(const ecgkd_t *e);

/* Forgets the samples that have gathered: after the electrodes were off. */
void ecgkd_drop_samples(ecgkd_t *e);

/* Begins an enrolment; what was going on before is forgotten. */
ecgkd_result_t ecgkd_enrol_begin(ecgkd_t *e);
/* The electrodes are lifted and put on again: a window never spans both. */
ecgkd_result_t ecgkd_next_placement(ecgkd_t *e);
/* Makes the template, or says why there is none; more windows may follow either way. */
ecgkd_result_t ecgkd_enrol_finish(ecgkd_t *e, ecgkd_template_t *owner);
/* Returns the enrolment that is going on or was finished last, NULL if something else was begun since. */
const ecgkd_enrolment_t *ecgkd_enrolment(const ecgkd_t *e);

/* Begins a verification; `owner` must stay where it is, unchanged, until the verdict. */
ecgkd_result_t ecgkd_verify_begin(ecgkd_t *e, const ecgkd_template_t *owner);
/* Ends it with the windows so far (time is up, the finger is off): a verdict. */
ecgkd_result_t ecgkd_verify_finish(ecgkd_t *e);
/* Returns the verification that is going on or had its verdict last, NULL if something else was begun since. */
const ecgkd_verdict_t *ecgkd_verdict(const ecgkd_t *e);

/* Returns what the wearer does: by the usable windows that the verification or enrolment looked at which is going on or
 * was begun last (an outlier of an enrolment counts too). NULL: this network does not tell. */
const ecgkd_activity_t *ecgkd_activity(const ecgkd_t *e);
/* Returns an activity's name; NULL where there is none of this index, or the network has no names. */
const char *ecgkd_activity_name(const ecgkd_t *e, unsigned index);

/* Lets the template follow the heart a twentieth of the way to the windows of the last verification, once, if that
 * accepted with plenty of evidence and the wearer confirmed in another way (PIN, passkey) who they are: `confirmed`.
 * Never further than a cosine of 0.8 from what was enrolled. `owner` is what was verified against. */
ecgkd_result_t ecgkd_update(ecgkd_t *e, ecgkd_template_t *owner, bool confirmed);

#define ECGKD_TEMPLATE_BYTES(size) ((size_t)48 + 4 * (size_t)(size))
#define ECGKD_KEY_BYTES 32

/* Writes the template to `blob`, ECGKD_TEMPLATE_BYTES(owner->size) bytes; that many must be there. `key`, 32 secret
 * bytes of this device, or NULL: with a key the vectors are rotated and the whole is authenticated, so that no other
 * device reads it and templates of two devices do not match. The format stands in docs/decision.md. */
ecgkd_result_t ecgkd_template_store(const ecgkd_template_t *owner, const uint8_t *key, uint8_t *blob, size_t bytes);
/* Reads one back; `owner` is changed only if all is right. `decision` is the model's, whose template it must be. */
ecgkd_result_t ecgkd_template_load(ecgkd_template_t *owner, const ecgkd_decision_t *decision, const uint8_t *key,
                                   const uint8_t *blob, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
