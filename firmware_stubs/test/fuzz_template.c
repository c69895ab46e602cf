/* Any bytes as a stored template: refused or read, never a crash, and what is read decides without overflow.
 *
 * The first byte says how: bit 0 with a key, bit 1 the checksum is made to fit, as a forger's would. With libFuzzer
 * this file is the whole program; with -DFUZZ_ROUNDS=N it has a main() that reads files of such bytes, named on the
 * command line, and changes each N times. */
#include "enrol.h"
#include "sha256.h"

#define SIZE 24
#define MOST 256

static const int8_t centroids[3][SIZE] = { { 1, 2, 3 }, { -127, 127 }, { 0, 0, 9 } };
static const int32_t norms[3] = { 957, 45979, 2304 };
static const ecgkd_decision_t decision = {
    .magic = ECGKD_DECISION_MAGIC, .abi = ECGKD_DECISION_ABI, .embedding_space = "", .space = "sixteen bytes...",
    .size = SIZE, .as_norm = 1, .calibrated = 1, .max_windows = 2, .min_windows = 3, .centroids_count = 3, .top = 2,
    .centroids = centroids[0], .norms = norms, .threshold = 200000, .slope = INT32_MAX, .offset = -300000,
    .rho = 40000, .accept = 450000, .reject = -300000, .update = 450000,
};

static void seal(const uint8_t *key, uint8_t *blob, size_t n)
{
    ecgkd_sha256_t hash;
    uint8_t digest[ECGKD_HASH_BYTES];
    if (key == NULL)
        ecgkd_sha256_begin(&hash);
    else
        ecgkd_hmac_begin(&hash, key);
    if (key != NULL)
        ecgkd_sha256_add(&hash, (const uint8_t *)"ecgkd template", 14);
    ecgkd_sha256_add(&hash, blob, n - 16);
    if (key == NULL)
        ecgkd_sha256_end(&hash, digest);
    else
        ecgkd_hmac_end(&hash, key, digest);
    memcpy(blob + n - 16, digest, 16);
}

static void fail(void)
{
    *(volatile int *)0 = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const uint8_t secret[ECGKD_KEY_BYTES] = { 1, 2, 3 };
    uint8_t blob[MOST], again[ECGKD_TEMPLATE_BYTES(SIZE)], how = n > 0 ? bytes[0] : 0;
    const uint8_t *key = (how & 1) != 0 ? secret : NULL;
    ecgkd_template_t owner;
    n = n > 0 ? n - 1 : 0;
    if (n > MOST)
        return 0;
    memcpy(blob, bytes + 1, n);
    if ((how & 2) != 0 && n >= 16)
        seal(key, blob, n);
    ecgkd_result_t result = ecgkd_template_load(&owner, &decision, key, blob, n);
    if (result != ECGKD_DONE)
        return 0;
    if (ecgkd_template_store(&owner, key, again, sizeof again) != ECGKD_DONE || memcmp(again, blob, sizeof again) != 0)
        fail();
    ecgkd_verdict_t verdict;
    int32_t embedding[SIZE], scratch[3 + 2 * SIZE];
    ecgkd_verdict_begin(&decision, owner.vector, &verdict, scratch);
    for (int k = 0; k < 2 && verdict.result == ECGKD_WINDOW_TAKEN; k++) {
        for (int i = 0; i < SIZE; i++)
            embedding[i] = owner.anchor[(i + k) % SIZE];
        ecgkd_verdict_add(&decision, owner.vector, &verdict, embedding, scratch);
    }
    if (verdict.result < ECGKD_ACCEPTED || verdict.result > ECGKD_NO_DECISION)
        fail();
    return 0;
}

#ifdef FUZZ_ROUNDS
#include <stdio.h>

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

/* Flips bits, sets bytes, cuts or repeats the end: a few of these. */
static size_t change(uint8_t *x, size_t n)
{
    for (uint32_t left = 1 + below(4); left > 0; left--) {
        uint32_t kind = below(8), at = below((uint32_t)(n > 0 ? n : 1));
        if (kind < 4)
            x[at] = (uint8_t)(x[at] ^ 1u << below(8));
        else if (kind < 6)
            x[at] = (uint8_t)below(256);
        else if (kind == 6)
            n = at;
        else if (n + 8 <= MOST)
            n += below(9);
    }
    return n;
}

int main(int argc, char **argv)
{
    static uint8_t kept[MOST + 1], x[MOST + 1];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL)
            return 5;
        size_t n = fread(kept, 1, sizeof kept, file);
        fclose(file);
        LLVMFuzzerTestOneInput(kept, n);
        for (long round = 0; round < FUZZ_ROUNDS; round++) {
            memcpy(x, kept, sizeof x);
            size_t changed = change(x, n);
            LLVMFuzzerTestOneInput(x, changed);
        }
    }
    return 0;
}
#endif
