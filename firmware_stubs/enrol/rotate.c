#include "enrol.h"
#include "sha256.h"

#define ROUNDS 8
#define WORDS 16   /* of 16 bits in a block of the key stream */
#define TANGENT 13573 /* Q15, tan(22.5°) */
#define SINE 23170    /* Q15, sin(45°) */

/* The key stream: word i is bytes 2i and 2i + 1 of HMAC(key, "ecgkd rotation" | space | block number). */
typedef struct stream {
    const uint8_t *key, *space;
    uint32_t block; /* that `bytes` holds */
    uint8_t bytes[ECGKD_HASH_BYTES];
} stream_t;

static void fill(stream_t *stream, uint32_t block)
{
    ecgkd_sha256_t hash;
    uint8_t number[4];
    for (int i = 0; i < 4; i++)
        number[i] = (uint8_t)(block >> (8 * i) & 255);
    ecgkd_hmac_begin(&hash, stream->key);
    ecgkd_sha256_add(&hash, (const uint8_t *)"ecgkd rotation", 14);
    ecgkd_sha256_add(&hash, stream->space, 16);
    ecgkd_sha256_add(&hash, number, sizeof number);
    ecgkd_hmac_end(&hash, stream->key, stream->bytes);
    stream->block = block;
}

static uint32_t word(stream_t *stream, uint32_t i)
{
    if (stream->block != i / WORDS)
        fill(stream, i / WORDS);
    return (uint32_t)stream->bytes[2 * (i % WORDS)] | (uint32_t)stream->bytes[2 * (i % WORDS) + 1] << 8;
}

/* x modulo 2^16, within int16. */
static int16_t wrap(int32_t x)
{
    return (int16_t)((int32_t)(((uint32_t)x + 32768u) & 65535u) - 32768);
}

/* Component i, perhaps negated, changes places with one of 0..i. */
static void shuffle(int16_t *x, int32_t i, uint32_t word, bool back)
{
    int32_t j = (int32_t)((word & 32767u) * (uint32_t)(i + 1) >> 15);
    bool negate = word >> 15 != 0;
    if (negate && !back)
        x[i] = wrap(-x[i]);
    int16_t kept = x[i];
    x[i] = x[j];
    x[j] = kept;
    if (negate && back)
        x[i] = wrap(-x[i]);
}

static int32_t part(int32_t x, int32_t factor)
{
    return (x * factor + (1 << 14)) >> 15;
}

/* Turns (x, y) by 45° in three lifting steps, each of which can be taken back exactly. */
static void turn(int16_t *x, int16_t *y, bool back)
{
    int32_t sign = back ? -1 : 1;
    *x = wrap(*x - sign * part(*y, TANGENT));
    *y = wrap(*y + sign * part(*x, SINE));
    *x = wrap(*x - sign * part(*y, TANGENT));
}

static void turn_pairs(int16_t *x, int32_t n, bool back)
{
    for (int32_t i = 0; i + 1 < n; i += 2)
        turn(x + i, x + i + 1, back);
}

void ecgkd_rotate(int16_t *a, int16_t *b, int32_t n, const uint8_t *key, const uint8_t *space, bool back)
{
    stream_t stream = { .key = key, .space = space, .block = UINT32_MAX };
    for (int32_t round = 0; round < ROUNDS; round++) {
        int32_t first = (back ? ROUNDS - 1 - round : round) * n;
        if (back) {
            turn_pairs(a, n, true);
            turn_pairs(b, n, true);
        }
        for (int32_t k = 0; k < n; k++) {
            int32_t i = back ? k : n - 1 - k;
            uint32_t w = word(&stream, (uint32_t)(first + i));
            shuffle(a, i, w, back);
            shuffle(b, i, w, back);
        }
        if (!back) {
            turn_pairs(a, n, false);
            turn_pairs(b, n, false);
        }
    }
}
