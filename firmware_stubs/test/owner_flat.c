/* The owner check's inner functions without structs, for tests that call them from Python. */
#include "owner.h"
#include "sha256.h"
#include "signal.h"

/* ---- signal ---- */

uint32_t flat_signal_scratch(uint32_t fs)
{
    return ECGKD_SIGNAL_SCRATCH(fs);
}

int flat_signal(uint32_t fs, const int32_t *ring, uint32_t length, uint32_t start, int gain_known, int8_t *q,
                uint32_t *reasons, void *scratch)
{
    const ecgkd_rate_t *rate = ecgkd_rate_of(fs);
    ecgkd_span_t window = { ring, length, start };
    if (rate == NULL)
        return 1;
    ecgkd_front_end(rate, &window, q, scratch);
    *reasons = ecgkd_quality(rate, &window, q, gain_known != 0, scratch);
    return 0;
}

/* ---- decision ---- */

/* numbers: as_norm, calibrated, max_windows, min_windows, centroids, top, threshold, slope, offset, rho, accept, reject,
 * update, floor, min_consistency */
static ecgkd_decision_t decision(const int32_t *numbers, int32_t size, const int8_t *centroids, const int32_t *norms)
{
    ecgkd_decision_t d = {
        .magic = ECGKD_DECISION_MAGIC,
        .abi = ECGKD_DECISION_ABI,
        .embedding_space = "",
        .size = (uint16_t)size,
        .as_norm = (uint8_t)numbers[0],
        .calibrated = (uint8_t)numbers[1],
        .max_windows = (uint8_t)numbers[2],
        .min_windows = (uint8_t)numbers[3],
        .centroids_count = (uint16_t)numbers[4],
        .top = (uint16_t)numbers[5],
        .centroids = centroids,
        .norms = norms,
        .threshold = numbers[6],
        .slope = numbers[7],
        .offset = numbers[8],
        .rho = numbers[9],
        .accept = numbers[10],
        .reject = numbers[11],
        .update = numbers[12],
        .floor = numbers[13],
        .min_consistency = numbers[14],
    };
    return d;
}

static void widen(const int16_t *x, int32_t n, int32_t *out)
{
    for (int32_t i = 0; i < n; i++)
        out[i] = x[i];
}

/* embeddings: int16 [n][size] of any scale; out: result, early, score, llr, windows, last; scratch: 16 kB */
void flat_verdict(const int32_t *numbers, int32_t size, const int8_t *centroids, const int32_t *norms,
                  const int16_t *vector, const int16_t *embeddings, int32_t n, int32_t *out, int32_t *scratch)
{
    ecgkd_decision_t d = decision(numbers, size, centroids, norms);
    ecgkd_verdict_t v;
    ecgkd_verdict_begin(&d, vector, &v, scratch);
    ecgkd_result_t result = ECGKD_WINDOW_TAKEN;
    for (int32_t k = 0; k < n && result == ECGKD_WINDOW_TAKEN; k++) {
        widen(embeddings + k * size, size, scratch);
        result = ecgkd_verdict_add(&d, vector, &v, scratch, scratch + size);
    }
    if (result == ECGKD_WINDOW_TAKEN)
        ecgkd_verdict_end(&d, vector, &v, scratch);
    out[0] = (int32_t)v.result;
    out[1] = v.early;
    out[2] = v.score;
    out[3] = v.llr;
    out[4] = v.windows;
    out[5] = v.windows > 0 ? v.last : -1;
}

/* embeddings and units: int16 [n][size]; out: result, kept, consistency */
void flat_select(const int32_t *numbers, int32_t size, const int16_t *embeddings, int32_t n, int16_t *units,
                 uint8_t *kept, int32_t *cosines, int16_t *vector, int32_t *out, int32_t *scratch)
{
    ecgkd_decision_t d = decision(numbers, size, NULL, NULL);
    for (int32_t k = 0; k < n; k++) {
        widen(embeddings + k * size, size, scratch);
        ecgkd_unit(scratch, size, units + k * size);
    }
    ecgkd_selection_t s = { .units = units, .n = n, .size = size, .kept = kept, .cosines = cosines };
    s.total = scratch;
    s.ranks = scratch + size;
    s.others = (int16_t *)(s.ranks + n);
    out[0] = (int32_t)ecgkd_select(&d, &s, vector);
    out[1] = s.kept_count;
    out[2] = s.consistency;
}

void flat_cohort(int32_t size, int32_t count, int32_t top, const int8_t *centroids, const int32_t *norms,
                 const int16_t *u, int32_t *out, int32_t *scratch)
{
    int32_t numbers[15] = { 0, 0, 0, 0, count, top };
    ecgkd_decision_t d = decision(numbers, size, centroids, norms);
    ecgkd_cohort(&d, u, out, out + 1, scratch);
}

/* ---- activity ---- */

/* scores: int8 [n][size]; out: index, windows, margin, sums [size] */
void flat_activity(const int8_t *scores, int32_t n, int32_t size, int32_t zero_point, uint32_t scale, int32_t *out)
{
    static ecgkd_t e;
    ecgkd_model_t model = { .activity_size = (uint32_t)size, .activity_zero_point = zero_point,
                            .activity_scale = scale };
    memset(&e, 0, sizeof e);
    e.config.model = &model;
    for (int32_t k = 0; k < n; k++) {
        memcpy(e.scores, scores + k * size, (size_t)size);
        ecgkd_activity_take(&e);
    }
    const ecgkd_activity_t *told = ecgkd_activity(&e);
    out[0] = told->index;
    out[1] = told->windows;
    out[2] = told->margin;
    memcpy(out + 3, told->sum, (size_t)size * sizeof *told->sum);
}

/* ---- templates ---- */

static void fill(ecgkd_template_t *owner, const int32_t *numbers, const uint8_t *space, const int16_t *vectors)
{
    size_t size = (size_t)numbers[0];
    memset(owner, 0, sizeof *owner);
    owner->size = (uint16_t)size;
    owner->windows = (uint16_t)numbers[1];
    owner->placements = (uint16_t)numbers[2];
    owner->updates = (uint16_t)numbers[3];
    memcpy(owner->space, space, sizeof owner->space);
    memcpy(owner->vector, vectors, size * sizeof *vectors);
    memcpy(owner->anchor, vectors + size, size * sizeof *vectors);
}

/* numbers: size, windows, placements, updates; vectors: vector and anchor, int16 [2][size] */
int flat_store(const int32_t *numbers, const uint8_t *space, const int16_t *vectors, const uint8_t *key,
               uint8_t *blob, uint32_t bytes)
{
    ecgkd_template_t owner;
    fill(&owner, numbers, space, vectors);
    return (int)ecgkd_template_store(&owner, key, blob, bytes);
}

int flat_load(int32_t *numbers, const uint8_t *space, int16_t *vectors, const uint8_t *key, const uint8_t *blob,
              uint32_t bytes)
{
    int32_t plain[15] = { 0 };
    ecgkd_decision_t d = decision(plain, numbers[0], NULL, NULL);
    ecgkd_template_t owner;
    memcpy(d.space, space, sizeof d.space);
    memset(&owner, 0, sizeof owner);
    int result = (int)ecgkd_template_load(&owner, &d, key, blob, bytes);
    size_t size = owner.size;
    numbers[0] = owner.size;
    numbers[1] = owner.windows;
    numbers[2] = owner.placements;
    numbers[3] = owner.updates;
    memcpy(vectors, owner.vector, size * sizeof *vectors);
    memcpy(vectors + size, owner.anchor, size * sizeof *vectors);
    return result;
}

void flat_sha256(const uint8_t *bytes, uint32_t n, uint8_t *digest)
{
    ecgkd_sha256_t hash;
    ecgkd_sha256_begin(&hash);
    ecgkd_sha256_add(&hash, bytes, n);
    ecgkd_sha256_end(&hash, digest);
}
