/* Templates and decisions: the arithmetic of docs/decision.md, with the bits of ecgkd.enrolment in Python.
 *
 * A unit vector is int16 of Euclidean norm 2^15, components within ±32,767. Q formats as on that page. Nothing here
 * keeps state of its own. */
#ifndef ECGKD_ENROL_H
#define ECGKD_ENROL_H

#include "ecgkd.h"

#define ECGKD_COSINE_Q 20
#define ECGKD_AGE_BOUND 838861 /* Q20, 0.8: least cosine of a template to what was enrolled */
#define ECGKD_AGE_INERTIA 19   /* parts of the template for one of what was seen */

/* a / b to the nearest integer, halves away from zero; b > 0, |a| < 2^62. */
int64_t ecgkd_divide(int64_t a, int64_t b);
/* The largest r with r^2 <= x, x < 2^62. */
int32_t ecgkd_root(uint64_t x);

/* Euclidean norm in Q8 of v, int32 [n]; below 2^23. */
int32_t ecgkd_norm(const int32_t *v, int32_t n);
/* v scaled to norm 2^15; zero stays zero. v: int32 [n], norm below 2^23; u: int16 [n] */
void ecgkd_unit(const int32_t *v, int32_t n, int16_t *u);
/* What the network gave, of whatever length, as Q15: exactly round(e * 2^15 / |e|). e: int8 [n]; v: int32 [n] */
void ecgkd_embedding_q15(const int8_t *e, int32_t n, int32_t *v);
/* Sum of u_i * t_i of two unit vectors, int16 [n]. */
int32_t ecgkd_dot(const int16_t *u, const int16_t *t, int32_t n);
/* Q20 cosine of two unit vectors. */
int32_t ecgkd_cosine(const int16_t *u, const int16_t *t, int32_t n);
bool ecgkd_any(const int16_t *u, int32_t n);

/* Mean (Q20) and standard deviation (Q24) of the closest centroids' cosines to u; both 0 without a cohort.
 * near: int32 [centroids_count], scratch */
void ecgkd_cohort(const ecgkd_decision_t *d, const int16_t *u, int32_t *mean, int32_t *sigma, int32_t *near);

/* Scratch of the next two, bytes: 6 * size + 4 * centroids_count. */

/* Begins a verification against template vector t. */
void ecgkd_verdict_begin(const ecgkd_decision_t *d, const int16_t *t, ecgkd_verdict_t *v, void *scratch);
/* Looks at one more embedding, int32 [size] of any common scale, norm 2^10 to 2^23; a verdict may follow. */
ecgkd_result_t ecgkd_verdict_add(const ecgkd_decision_t *d, const int16_t *t, ecgkd_verdict_t *v,
                                 const int32_t *embedding, void *scratch);
/* Ends it by the threshold. */
ecgkd_result_t ecgkd_verdict_end(const ecgkd_decision_t *d, const int16_t *t, ecgkd_verdict_t *v, void *scratch);

/* An enrolment's windows, what is made of them, and scratch. */
typedef struct ecgkd_selection {
    const int16_t *units; /* unit vectors or zeros, [n][size] */
    int32_t n, size;      /* n at most 255 */
    uint8_t *kept;        /* [n] out */
    int32_t *cosines;     /* [n] out, Q20, each to the sum of the others */
    int32_t *ranks;       /* [n] scratch */
    int32_t *total;       /* [size] scratch */
    int16_t *others;      /* [size] scratch */
    int32_t kept_count;   /* out */
    int32_t consistency;  /* out, Q20 */
} ecgkd_selection_t;
/* Leaves outliers out and fuses the others into `vector`, int16 [size]. ECGKD_DONE, _TOO_FEW or _INCONSISTENT. */
ecgkd_result_t ecgkd_select(const ecgkd_decision_t *d, ecgkd_selection_t *s, int16_t *vector);

/* Moves `vector` towards the unit vector `seen`, never below ECGKD_AGE_BOUND to `anchor`; all int16 [n].
 * ECGKD_DONE, or ECGKD_AT_BOUND and nothing is moved. scratch: 6 * n bytes */
ecgkd_result_t ecgkd_age(int16_t *vector, const int16_t *anchor, const int16_t *seen, int32_t n, void *scratch);

/* Turns two vectors by the rotation of `key` and `space`, or back; both int16 [n]. */
void ecgkd_rotate(int16_t *a, int16_t *b, int32_t n, const uint8_t *key, const uint8_t *space, bool back);

#endif
