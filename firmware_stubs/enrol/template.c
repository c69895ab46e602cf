#include "enrol.h"
#include "sha256.h"

/* A stored template, little endian:
 *    0   4 "ECGT"
 *    4   1 version, 1
 *    5   1 flags: 1 with a key, else 0
 *    6   2 size, components
 *    8  16 id of the embedding space
 *   24   2 windows
 *   26   2 placements
 *   28   2 updates
 *   30   2 zero
 *   32     vector, int16 [size], then anchor, int16 [size]; with a key both rotated
 *        16 of all before: the first half of its SHA-256, with a key of HMAC(key, "ecgkd template" | it) */
#define HEAD 32
#define TAG 16
#define VERSION 1
#define KEYED 1

static void put16(uint8_t *at, int32_t value)
{
    at[0] = (uint8_t)(value & 255);
    at[1] = (uint8_t)(value >> 8 & 255);
}

static uint16_t take16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static int16_t take_signed(const uint8_t *at)
{
    int32_t value = take16(at);
    return (int16_t)(value < 32768 ? value : value - 65536);
}

static void tag_of(const uint8_t *key, const uint8_t *bytes, size_t n, uint8_t *digest)
{
    ecgkd_sha256_t hash;
    if (key == NULL) {
        ecgkd_sha256_begin(&hash);
        ecgkd_sha256_add(&hash, bytes, n);
        ecgkd_sha256_end(&hash, digest);
    } else {
        ecgkd_hmac_begin(&hash, key);
        ecgkd_sha256_add(&hash, (const uint8_t *)"ecgkd template", 14);
        ecgkd_sha256_add(&hash, bytes, n);
        ecgkd_hmac_end(&hash, key, digest);
    }
}

/* In the same time wherever they differ. */
static bool same(const uint8_t *a, const uint8_t *b, size_t n)
{
    uint8_t difference = 0;
    for (size_t i = 0; i < n; i++)
        difference = (uint8_t)(difference | (a[i] ^ b[i]));
    return difference == 0;
}

/* Whether x, int16 [n], is a unit vector: its norm within 17 of 2^15, which rounding cannot leave. */
static bool is_unit(const int16_t *x, int32_t n)
{
    int64_t squares = 0;
    for (int32_t i = 0; i < n; i++) {
        if (x[i] == INT16_MIN)
            return false;
        squares += x[i] * x[i];
    }
    return squares >= (int64_t)(32768 - 17) * (32768 - 17) && squares <= (int64_t)(32768 + 17) * (32768 + 17);
}

ecgkd_result_t ecgkd_template_store(const ecgkd_template_t *owner, const uint8_t *key, uint8_t *blob, size_t bytes)
{
    if (owner == NULL || blob == NULL || owner->size < 1 || owner->size > ECGKD_MAX_EMBEDDING)
        return ECGKD_BAD_ARGUMENT;
    int32_t n = owner->size;
    if (bytes < ECGKD_TEMPLATE_BYTES(n))
        return ECGKD_BAD_MEMORY;
    int16_t vector[ECGKD_MAX_EMBEDDING], anchor[ECGKD_MAX_EMBEDDING];
    uint8_t digest[ECGKD_HASH_BYTES], *end = blob + HEAD + 4 * n;
    memcpy(vector, owner->vector, sizeof vector);
    memcpy(anchor, owner->anchor, sizeof anchor);
    if (key != NULL)
        ecgkd_rotate(vector, anchor, n, key, owner->space, false);
    memset(blob, 0, HEAD);
    memcpy(blob, "ECGT", 4);
    blob[4] = VERSION;
    blob[5] = key != NULL ? KEYED : 0;
    put16(blob + 6, n);
    memcpy(blob + 8, owner->space, sizeof owner->space);
    put16(blob + 24, owner->windows);
    put16(blob + 26, owner->placements);
    put16(blob + 28, owner->updates);
    for (int32_t i = 0; i < n; i++) {
        put16(blob + HEAD + 2 * i, vector[i]);
        put16(blob + HEAD + 2 * n + 2 * i, anchor[i]);
    }
    tag_of(key, blob, (size_t)(end - blob), digest);
    memcpy(end, digest, TAG);
    return ECGKD_DONE;
}

/* Says what can be said without the key's secret. */
static ecgkd_result_t check(const ecgkd_decision_t *d, const uint8_t *key, const uint8_t *blob, size_t bytes)
{
    uint8_t digest[ECGKD_HASH_BYTES];
    if (bytes < HEAD + TAG || memcmp(blob, "ECGT", 4) != 0)
        return ECGKD_DAMAGED;
    if (blob[4] != VERSION)
        return ECGKD_OTHER_VERSION;
    size_t n = take16(blob + 6);
    if (bytes != ECGKD_TEMPLATE_BYTES(n) || blob[5] > KEYED || take16(blob + 30) != 0)
        return ECGKD_DAMAGED;
    if ((blob[5] == KEYED) != (key != NULL))
        return ECGKD_OTHER_KEY;
    tag_of(key, blob, bytes - TAG, digest);
    if (!same(digest, blob + bytes - TAG, TAG))
        return key != NULL ? ECGKD_OTHER_KEY : ECGKD_DAMAGED;
    return n != d->size || memcmp(blob + 8, d->space, sizeof d->space) != 0 ? ECGKD_OTHER_MODEL : ECGKD_DONE;
}

ecgkd_result_t ecgkd_template_load(ecgkd_template_t *owner, const ecgkd_decision_t *decision, const uint8_t *key,
                                   const uint8_t *blob, size_t bytes)
{
    if (owner == NULL || decision == NULL || blob == NULL || decision->size < 1 || decision->size > ECGKD_MAX_EMBEDDING)
        return ECGKD_BAD_ARGUMENT;
    ecgkd_result_t result = check(decision, key, blob, bytes);
    if (result != ECGKD_DONE)
        return result;
    int16_t vector[ECGKD_MAX_EMBEDDING], anchor[ECGKD_MAX_EMBEDDING];
    int32_t n = decision->size;
    for (int32_t i = 0; i < n; i++) {
        vector[i] = take_signed(blob + HEAD + 2 * i);
        anchor[i] = take_signed(blob + HEAD + 2 * n + 2 * i);
    }
    if (key != NULL)
        ecgkd_rotate(vector, anchor, n, key, decision->space, true);
    if (!is_unit(vector, n) || !is_unit(anchor, n) || ecgkd_cosine(vector, anchor, n) < ECGKD_AGE_BOUND)
        return ECGKD_DAMAGED;
    memset(owner, 0, sizeof *owner);
    owner->size = (uint16_t)n;
    memcpy(owner->space, blob + 8, sizeof owner->space);
    owner->windows = take16(blob + 24);
    owner->placements = take16(blob + 26);
    owner->updates = take16(blob + 28);
    memcpy(owner->vector, vector, (size_t)n * sizeof *vector);
    memcpy(owner->anchor, anchor, (size_t)n * sizeof *anchor);
    return ECGKD_DONE;
}
