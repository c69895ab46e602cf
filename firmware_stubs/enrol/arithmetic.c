#include "enrol.h"

#define LIMIT 32767
#define NORM_Q 8
#define Q 15

int64_t ecgkd_divide(int64_t a, int64_t b)
{
    int64_t size = ((a < 0 ? -a : a) + (b >> 1)) / b;
    return a < 0 ? -size : size;
}

int32_t ecgkd_root(uint64_t x)
{
    uint64_t root = 0, bit = (uint64_t)1 << 60;
    while (bit > x)
        bit >>= 2;
    for (; bit != 0; bit >>= 2) {
        uint64_t trial = root + bit;
        root >>= 1;
        if (x >= trial) {
            x -= trial;
            root += bit;
        }
    }
    return (int32_t)root;
}

int32_t ecgkd_norm(const int32_t *v, int32_t n)
{
    uint64_t squares = 0;
    for (int32_t i = 0; i < n; i++)
        squares += (uint64_t)((int64_t)v[i] * v[i]);
    return ecgkd_root(squares << (2 * NORM_Q));
}

void ecgkd_unit(const int32_t *v, int32_t n, int16_t *u)
{
    int32_t norm = ecgkd_norm(v, n);
    for (int32_t i = 0; i < n; i++) {
        int64_t x = norm == 0 ? 0 : ecgkd_divide(v[i] * ((int64_t)1 << (Q + NORM_Q)), norm);
        u[i] = (int16_t)(x > LIMIT ? LIMIT : x < -LIMIT ? -LIMIT : x);
    }
}

void ecgkd_embedding_q15(const int8_t *e, int32_t n, int32_t *v)
{
    uint32_t squares = 0;
    for (int32_t i = 0; i < n; i++)
        squares += (uint32_t)(e[i] * e[i]);
    for (int32_t i = 0; i < n; i++) {
        /* k is the nearest to x where (2k - 1)^2 <= 4x^2 < (2k + 1)^2; 4x^2 = e^2 * 2^32 / squares, which is no odd square */
        uint64_t square = squares == 0 ? 0 : ((uint64_t)(e[i] * e[i]) << 32) / squares;
        int32_t size = (ecgkd_root(square) + 1) >> 1;
        size = size > LIMIT ? LIMIT : size;
        v[i] = e[i] < 0 ? -size : size;
    }
}

int32_t ecgkd_dot(const int16_t *u, const int16_t *t, int32_t n)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < n; i++)
        sum += u[i] * t[i];
    return sum;
}

int32_t ecgkd_cosine(const int16_t *u, const int16_t *t, int32_t n)
{
    return (int32_t)ecgkd_divide(ecgkd_dot(u, t, n), 1 << (2 * Q - ECGKD_COSINE_Q));
}

bool ecgkd_any(const int16_t *u, int32_t n)
{
    for (int32_t i = 0; i < n; i++)
        if (u[i] != 0)
            return true;
    return false;
}
