#include "sha256.h"

#include <string.h>

/* Fractions of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

static void mix_block(ecgkd_sha256_t *hash)
{
    uint32_t w[16], *h = hash->state;
    for (int i = 0; i < 16; i++) {
        const uint8_t *b = hash->block + 4 * i;
        w[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], last = h[7];
    for (int i = 0; i < 64; i++) {
        if (i >= 16) {
            uint32_t x = w[(i + 1) % 16], y = w[(i + 14) % 16];
            w[i % 16] += w[(i + 9) % 16] + (turn(x, 7) ^ turn(x, 18) ^ x >> 3) + (turn(y, 17) ^ turn(y, 19) ^ y >> 10);
        }
        uint32_t one = last + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i % 16];
        uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        last = g;
        g = f;
        f = e;
        e = d + one;
        d = c;
        c = b;
        b = a;
        a = one + two;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
    h[5] += f;
    h[6] += g;
    h[7] += last;
}

void ecgkd_sha256_begin(ecgkd_sha256_t *hash)
{
    static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
    memcpy(hash->state, start, sizeof start);
    hash->length = 0;
}

void ecgkd_sha256_add(ecgkd_sha256_t *hash, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hash->block[hash->length++ % ECGKD_BLOCK_BYTES] = bytes[i];
        if (hash->length % ECGKD_BLOCK_BYTES == 0)
            mix_block(hash);
    }
}

void ecgkd_sha256_end(ecgkd_sha256_t *hash, uint8_t *digest)
{
    const uint8_t one = 0x80, zero = 0;
    uint64_t bits = hash->length * 8;
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(bits >> (56 - 8 * i) & 255);
    ecgkd_sha256_add(hash, &one, 1);
    while (hash->length % ECGKD_BLOCK_BYTES != ECGKD_BLOCK_BYTES - sizeof length)
        ecgkd_sha256_add(hash, &zero, 1);
    ecgkd_sha256_add(hash, length, sizeof length);
    for (int i = 0; i < ECGKD_HASH_BYTES; i++)
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)) & 255);
}

static void add_padded_key(ecgkd_sha256_t *hash, const uint8_t *key, uint8_t pad)
{
    for (int i = 0; i < ECGKD_BLOCK_BYTES; i++) {
        uint8_t byte = (uint8_t)((i < ECGKD_HASH_BYTES ? key[i] : 0) ^ pad);
        ecgkd_sha256_add(hash, &byte, 1);
    }
}

void ecgkd_hmac_begin(ecgkd_sha256_t *hash, const uint8_t *key)
{
    ecgkd_sha256_begin(hash);
    add_padded_key(hash, key, 0x36);
}

void ecgkd_hmac_end(ecgkd_sha256_t *hash, const uint8_t *key, uint8_t *digest)
{
    ecgkd_sha256_end(hash, digest);
    ecgkd_sha256_begin(hash);
    add_padded_key(hash, key, 0x5c);
    ecgkd_sha256_add(hash, digest, ECGKD_HASH_BYTES);
    ecgkd_sha256_end(hash, digest);
}
