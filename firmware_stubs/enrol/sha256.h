/* SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104), for templates: short messages, few of them. */
#ifndef ECGKD_SHA256_H
#define ECGKD_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define ECGKD_HASH_BYTES 32
#define ECGKD_BLOCK_BYTES 64

typedef struct ecgkd_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    uint8_t block[ECGKD_BLOCK_BYTES];
} ecgkd_sha256_t;

void ecgkd_sha256_begin(ecgkd_sha256_t *hash);
void ecgkd_sha256_add(ecgkd_sha256_t *hash, const uint8_t *bytes, size_t n);
void ecgkd_sha256_end(ecgkd_sha256_t *hash, uint8_t *digest);

/* The same with a key of 32 bytes: begin, ecgkd_sha256_add, end. */
void ecgkd_hmac_begin(ecgkd_sha256_t *hash, const uint8_t *key);
void ecgkd_hmac_end(ecgkd_sha256_t *hash, const uint8_t *key, uint8_t *digest);

#endif
